import { formatDuration } from '../../../foundation/units.ts';
import type { Runbook } from '../../../plan/index.ts';
import type { PlaybookFacts } from '../facts.ts';
import { absent, against, bySchedule, type KeptPromise, showingWords } from './promise.ts';

/** What is promised of recoveries, and of drills that show them. */
export function recoveryPromises(facts: PlaybookFacts): KeptPromise[] {
  const { plan } = facts;
  return [
    ...[...plan.runbooks.values()].flatMap((runbook) => [
      runbookPromise(facts, runbook),
      ...stepPromises(facts, runbook),
    ]),
    ...plan.drills.flatMap((drill) => {
      const subjects = drill.isRescue ? ['rescue'] : drill.runbooks;
      return subjects.map((subject): KeptPromise => {
        const shown = bySchedule(facts, facts.showings.of('drill', subject), drill.schedule);
        return { kind: 'drill', subject: `${drill.name} ${subject}`, promised: drill.schedule.text, ...shown };
      });
    }),
  ];
}

/** The newest of incidents and drills that brought people back shows it. */
function runbookPromise(facts: PlaybookFacts, { name, objectives }: Runbook): KeptPromise {
  const { rtoMs } = objectives;
  const promised = rtoMs === undefined ? 'no time is promised' : formatDuration(rtoMs);
  const runs = (['incident', 'drill'] as const).flatMap((what) => facts.showings.of(what, name).good ?? []);
  const newest = runs.sort((one, other) => Date.parse(one.at) - Date.parse(other.at)).at(-1);
  if (newest === undefined) {
    const failed = facts.showings.of('drill', name).last;
    const measured = failed && { measured: `the drill of ${failed.at.slice(0, 10)} failed: ${failed.words ?? ''}` };
    return { kind: 'runbook', subject: name, promised, ...absent(facts), ...measured };
  }
  const { what, durationMs, at: shownAt } = newest;
  return {
    ...{ kind: 'runbook', subject: name, promised, shownAt },
    measured: `${what}: ${showingWords(newest)}`,
    state: durationMs === undefined ? 'shown' : against(durationMs, rtoMs),
  };
}

function stepPromises(facts: PlaybookFacts, { name, steps }: Runbook): KeptPromise[] {
  return steps.flatMap(({ id, withinMs, document }): KeptPromise[] => {
    // When the meeting afterwards was held is not what the step took.
    if (withinMs === undefined || document.do === 'review') return [];
    const subject = `${name}.${id}`;
    const { good } = facts.showings.of('step', subject);
    const promised = formatDuration(withinMs);
    if (good?.durationMs === undefined) return [{ kind: 'step', subject, promised, ...absent(facts) }];
    const state = against(good.durationMs, withinMs);
    return [{ kind: 'step', subject, promised, state, measured: formatDuration(good.durationMs), shownAt: good.at }];
  });
}
