import type { Rule } from '../../../plan/index.ts';
import { logStall } from '../../log/log-stall.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { Facts, SourceFacts } from '../facts/facts.ts';
import { exampleFacts, exampleSource } from './example.ts';
import { moment } from './words.ts';

/** Nothing of a source's log came for too long, following it ended, or a part of it is gone for good. */
export const logStalled: AlertRule = {
  basis: 'sources',
  find: (facts, rule) => facts.sources.flatMap((each) => stalled(facts, each, rule)),
  example(plan, { afterMs }, nowMs) {
    const { status, ...facts } = exampleSource(plan);
    const time = new Date(nowMs - 2 * afterMs!).toISOString();
    const log = { from: '00000000', time, timeline: 1, lsn: '0/0', gaps: [] };
    return exampleFacts(plan, nowMs, { sources: [{ ...facts, status: { ...status, log } }] });
  },
};

function stalled({ nowMs }: Facts, { source, status, stopped, gapMs }: SourceFacts, { afterMs }: Rule): Found[] {
  const { name } = source;
  const { log } = status;
  const common = {
    subject: name,
    endangers: `what happens in ${name} from then on: no moment of it can be recovered`,
    command: `holdfast follow ${name}`,
  };
  if (stopped !== undefined && nowMs - stopped.timeMs >= afterMs!) {
    return [{ ...common, message: `following ${name} ended: ${stopped.message}`, sinceMs: stopped.timeMs }];
  }
  if (log === undefined) return [];
  const gap = log.gaps[0];
  if (gap !== undefined) {
    const message = `a part of the log of ${name} is gone, from ${gap.start} to ${gap.end}: no moment in it can be recovered`;
    const mended = { command: `holdfast backup ${name}`, endangers: `moments of ${name} behind the gap` };
    return [{ ...common, ...mended, message, sinceMs: gapMs ?? nowMs }];
  }
  const stall = logStall(log, status.last?.time, { nowMs, afterMs: afterMs! });
  if (stall === undefined) return [];
  if (stall.kind === 'ahead') {
    const message = `the newest moment of the log of ${name} is ${moment(stall.momentMs)}, which has not come: a clock is or was wrong, and nobody can tell whether more came`;
    return [{ ...common, message, command: `holdfast doctor ${name}`, sinceMs: nowMs }];
  }
  const what = stall.isBegun ? 'no more of the log of' : 'nothing of the log of';
  return [{ ...common, message: `${what} ${name} came since ${moment(stall.sinceMs)}`, sinceMs: stall.sinceMs }];
}
