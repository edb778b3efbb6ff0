import { reportsOfPlan } from '../../../operations/index.ts';
import type { PlaybookFacts } from '../facts.ts';
import { bySchedule, type KeptPromise } from './promise.ts';

/** That people are told, look, and meet. */
export function peoplePromises(facts: PlaybookFacts): KeptPromise[] {
  const { plan, showings } = facts;
  return [
    ...[...plan.alerts.channels.values()].flatMap(({ name, type }): KeptPromise[] => {
      // That it is asked is recorded by whoever is asked, and nowhere else.
      if (type === 'heartbeat') return [];
      const shown = bySchedule(facts, showings.of('channel', name), undefined);
      return [{ kind: 'channel', subject: name, promised: 'delivers', ...shown }];
    }),
    ...reportsOfPlan(plan).map(({ name, report: { schedule } }): KeptPromise => {
      const shown = bySchedule(facts, showings.of('report', name), schedule);
      return { kind: 'report', subject: name, promised: schedule.text, ...shown };
    }),
    ...[...plan.reviews].map(([review, schedule]): KeptPromise => {
      const shown = bySchedule(facts, showings.of('review', review), schedule);
      return { kind: 'review', subject: review, promised: schedule.text, ...shown };
    }),
  ];
}
