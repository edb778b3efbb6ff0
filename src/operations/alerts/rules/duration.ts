import { formatDuration } from '../../../foundation/units.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { Facts, SourceFacts } from '../facts/facts.ts';
import { exampleFacts, exampleSource } from './example.ts';
import { moment } from './words.ts';

/** What a restore took is told for so long: nobody restores again to make it better. */
const RESTORES_TOLD_FOR_MS = 24 * 3_600_000;

/** The newest backup, restore or proof of a source took too long, or one that has not ended does. */
export const duration: AlertRule = {
  basis: 'sources',
  find: (facts, { overMs }) => facts.sources.flatMap((each) => tooLong(facts, each, overMs!)),
  example: (plan, { overMs }, nowMs) =>
    exampleFacts(plan, nowMs, {
      sources: [exampleSource(plan, { backups: [{ timeMs: nowMs, durationMs: overMs! * 1.5, outcome: 'complete' }] })],
    }),
};

interface Long {
  what: string;
  tookMs: number;
  sinceMs: number;
  command: string;
}

function tooLong({ nowMs, record }: Facts, facts: SourceFacts, overMs: number): Found[] {
  const { name } = facts.source;
  const { runningMs } = record.runs.get(`backup:${name}`) ?? {};
  const recentRestore =
    facts.restore && nowMs - facts.restore.timeMs < RESTORES_TOLD_FOR_MS ? facts.restore : undefined;
  const ended = [
    { kind: 'backup', attempt: facts.backups.at(-1), command: `holdfast snapshots ${name}` },
    { kind: 'restore', attempt: recentRestore, command: `holdfast objectives ${name}` },
    { kind: 'proof', attempt: facts.proof, command: `holdfast objectives ${name}` },
  ].flatMap(({ kind, attempt, command }): Long[] => {
    if (attempt === undefined || attempt.durationMs <= overMs) return [];
    const { timeMs, durationMs } = attempt;
    const what = `the ${kind} of ${name} that ended at ${moment(timeMs)} took ${formatDuration(durationMs)}`;
    return [{ what, tookMs: durationMs, sinceMs: timeMs - durationMs + overMs, command }];
  });
  const running =
    runningMs === undefined || nowMs - runningMs <= overMs
      ? []
      : [
          {
            what: `the backup of ${name} has been running since ${moment(runningMs)}`,
            ...{ tookMs: nowMs - runningMs, sinceMs: runningMs + overMs, command: `holdfast snapshots ${name}` },
          },
        ];
  const longest = [...running, ...ended].toSorted((a, b) => b.tookMs - a.tookMs)[0];
  if (longest === undefined) return [];
  return [
    {
      subject: name,
      message: `${longest.what}; the plan allows ${formatDuration(overMs)}`,
      sinceMs: longest.sinceMs,
      endangers: `the objectives of ${name}: what takes this long comes too late`,
      command: longest.command,
    },
  ];
}
