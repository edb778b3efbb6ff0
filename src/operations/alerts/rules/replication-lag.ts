import { formatDuration } from '../../../foundation/units.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { Facts, MirrorFacts } from '../facts/facts.ts';
import type { StandbySamples } from '../facts/samples.ts';
import { exampleFacts } from './example.ts';
import { moment } from './words.ts';

/** A mirror lacks what its primary has had for too long, or a standby is behind its server. */
export const replicationLag: AlertRule = {
  basis: 'repositories',
  find: (facts, { overMs }) => [
    ...facts.mirrors.flatMap((each) => behind(facts, each, overMs!)),
    ...(facts.samples?.standbys ?? []).flatMap((each) => standbyBehind(facts, each, overMs!)),
  ],
  example(plan, { overMs }, nowMs) {
    const [mirror, of] = [...plan.mirrors.values()].map((each) => [each.name, each.of])[0] ?? ['example', 'primary'];
    return exampleFacts(plan, nowMs, {
      mirrors: [{ mirror: mirror!, of: of!, isKnown: true, lagMs: overMs! * 3, snapshots: 1, logParts: 0 }],
    });
  },
};

function behind({ nowMs }: Facts, { mirror, of, lagMs, failed }: MirrorFacts, overMs: number): Found[] {
  if (lagMs === undefined || lagMs <= overMs) return [];
  const reason = failed === undefined ? '' : `: ${failed.message}`;
  return [
    {
      subject: mirror,
      message: `the mirror ${mirror} lacks what ${of} has had since ${moment(nowMs - lagMs)}${reason}`,
      sinceMs: nowMs - lagMs + overMs,
      endangers: `what is new in ${of}: were it lost now, ${mirror} would not have it`,
      command: `holdfast replicate ${of}`,
    },
  ];
}

function standbyBehind({ nowMs }: Facts, { standby, of, samples }: StandbySamples, overMs: number): Found[] {
  const last = samples.at(-1);
  if (last === undefined) return [];
  const common = {
    subject: standby,
    endangers: `what is new in ${of}: were its server lost now, ${standby} would not have it`,
    command: 'holdfast services',
  };
  const goodMs = samples.findLast(({ valueMs, error }) => valueMs !== undefined && error === undefined)?.timeMs;
  if (last.error !== undefined || last.valueMs === undefined) {
    const sinceMs = goodMs ?? samples[0]!.timeMs;
    const reason = last.error ?? 'it did not say';
    if (nowMs - sinceMs <= overMs) return [];
    return [{ ...common, message: `nobody knows how far the standby ${standby} is behind ${of}: ${reason}`, sinceMs }];
  }
  if (last.valueMs <= overMs) return [];
  const lateMs = samples.slice(samples.findLastIndex(({ valueMs = 0 }) => valueMs <= overMs) + 1)[0]!.timeMs;
  const message = `the standby ${standby} is more than ${formatDuration(overMs)} behind ${of}`;
  return [{ ...common, message, sinceMs: lateMs }];
}
