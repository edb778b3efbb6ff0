import type { AlertRule, Found } from '../condition.ts';
import type { ArchiveFacts, Attempt, Facts, SourceFacts } from '../facts/facts.ts';
import { exampleFacts, exampleSource } from './example.ts';
import { moment } from './words.ts';

const HOUR_MS = 3_600_000;

/** The newest backup of a source failed, or is partial; or the newest copy to an archive did. */
export const backupFailed: AlertRule = {
  basis: 'sources',
  find: (facts) => [
    ...facts.sources.flatMap((each) => failedBackup(facts, each)),
    ...facts.archives.flatMap((each) => failedCopy(each)),
  ],
  example: (plan, _rule, nowMs) =>
    exampleFacts(plan, nowMs, {
      sources: [
        exampleSource(plan, {
          backups: [
            { timeMs: nowMs, durationMs: HOUR_MS / 4, outcome: 'failed', message: 'the server does not answer' },
          ],
        }),
      ],
    }),
};

function failedBackup({ record }: Facts, { source: { name }, backups }: SourceFacts): Found[] {
  const run = record.runs.get(`backup:${name}`);
  const last = backups.at(-1);
  // What ended before anything of it could be recorded is known by its run alone.
  const isNewer = run?.last !== undefined && run.last.timeMs > (last?.timeMs ?? Number.NEGATIVE_INFINITY);
  const failedRun = isNewer && (run.last?.outcome === 'failed' || run.last?.outcome === 'died') ? run : undefined;
  if (failedRun === undefined && (last === undefined || last.outcome === 'complete')) return [];
  const endangers = `what changes in ${name} from its last complete backup on: it would be lost`;
  const common = { subject: name, endangers, command: `holdfast backup ${name}` };
  const firstMs = firstFailing(backups);
  if (failedRun !== undefined) {
    const reason = failedRun.last?.outcome === 'died' ? 'its process died' : failedRun.last?.message;
    const message = `the backup of ${name} failed${reason === undefined ? '' : `: ${reason}`}`;
    return [{ ...common, message, sinceMs: Math.min(firstMs ?? Number.POSITIVE_INFINITY, failedRun.last!.timeMs) }];
  }
  const message =
    last!.outcome === 'failed'
      ? `the backup of ${name} failed${last!.message === undefined ? '' : `: ${last!.message}`}`
      : `the backup of ${name} is partial: something of it could not be read`;
  return [{ ...common, message, sinceMs: firstMs! }];
}

/** When the first ended of those that are not complete, with none since that is. */
function firstFailing(backups: readonly Attempt[]): number | undefined {
  return backups.slice(backups.findLastIndex(({ outcome }) => outcome === 'complete') + 1)[0]?.timeMs;
}

function failedCopy({ archive, from, failed }: ArchiveFacts): Found[] {
  if (failed === undefined) return [];
  return [
    {
      subject: archive,
      message: `the copy from ${from} to the archive ${archive} failed: ${failed.message}`,
      sinceMs: failed.timeMs,
      endangers: `what only ${archive} keeps for long: the copy of ${moment(failed.timeMs)} is not there`,
      command: `holdfast replicate ${archive}`,
    },
  ];
}
