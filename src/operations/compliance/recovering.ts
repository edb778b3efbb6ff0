/** Runbooks drilled and run, and what people decided. Pure: see `Observation`. */
import type { ComplianceFacts, KnownEvent } from './facts.ts';
import { at, claim, listed, missedDue, type Observation, perName, times } from './observation.ts';

/** A drill or incident that is over, with what it began with. */
interface Run {
  /** The id of the drill or incident. */
  run: string;
  runbook: string;
  began: { id: string; timeMs: number };
  ended: { id: string; timeMs: number };
  outcome: string;
  /** What people use was back, and it ended well enough. */
  isBack: boolean;
  /** Ids of the steps that bring something back. */
  bringingBack: ReadonlySet<unknown>;
}

/** What ended well enough to show that it can be done; what of it was not as promised is said. */
const SHOWN: ReadonlySet<string> = new Set(['done', 'partial', 'missed']);

const NO_INCIDENT = 'no incident was opened or ended in this period';

export const drills: Observation = (facts) => {
  const held = drillsOf(facts);
  const shown = held.filter(({ outcome }) => SHOWN.has(outcome));
  const runbooks = [...facts.plan.runbooks.keys()];
  const lastOf = (name: string): Run | undefined => held.findLast(({ runbook }) => runbook === name);
  return {
    claims: claim(
      `${times(shown.length, 'drill')} held on copies (${perName(shown.map(({ runbook }) => runbook))})`,
      shown.flatMap(({ began, ended }) => [began, ended]),
    ),
    missing: [
      ...(runbooks.length === 0 ? ['the plan has no runbook that could be drilled'] : []),
      ...runbooks.flatMap((name) => {
        const last = lastOf(name);
        if (last === undefined) return [`the runbook ${name} was not drilled`];
        if (last.outcome !== 'done')
          return [`the last drill of ${name}, at ${at(last.ended.timeMs)}, ended as "${last.outcome}"`];
        const dueMs = dueDrill(facts, name, last.ended.timeMs);
        return dueMs === undefined ? [] : [`the drill of ${name} that was due at ${at(dueMs)} was not held`];
      }),
    ],
    remarks:
      shown.length === held.length ? [] : [`${times(held.length - shown.length, 'drill')} failed or was broken off`],
  };
};

/** When it was to be drilled again and was not, by the drill of the plan that asks for it first. */
function dueDrill(facts: ComplianceFacts, runbook: string, lastMs: number): number | undefined {
  const own = facts.plan.drills.filter(({ runbooks, isRescue }) => !isRescue && runbooks.includes(runbook));
  const due = own.flatMap(({ schedule }) => missedDue(facts, schedule, lastMs) ?? []);
  return due.length === 0 ? undefined : Math.min(...due);
}

export const incidents: Observation = (facts) => {
  const opened = facts.of('incident.opened');
  const closed = facts.of('incident.closed');
  if (opened.length + closed.length === 0) {
    return { claims: [], missing: [], uncalled: NO_INCIDENT };
  }
  const ended = incidentsOf(facts).filter(({ outcome }) => SHOWN.has(outcome));
  const acknowledged = facts.of('incident.acknowledged');
  const answered = facts.of('step.answered');
  const over = new Set(closed.map(({ body }) => body.incident));
  return {
    claims: [
      ...claim(
        `${times(ended.length, 'incident')} recovered from by a runbook (${perName(ended.map(({ runbook }) => runbook))})`,
        ended.flatMap((each) => [each.began, each.ended]),
      ),
      ...claim(
        `${times(answered.length, 'decision')} of persons in them and in drills, each with who it was`,
        answered,
      ),
      ...claim(`${times(acknowledged.length, 'incident')} acknowledged by a person`, acknowledged),
    ],
    missing: [
      ...opened
        .filter(({ body }) => !over.has(body.incident))
        .map(({ body, timeMs }) => `the incident ${body.incident}, opened at ${at(timeMs)}, was not closed`),
      ...closed
        .filter(({ body }) => body.outcome !== undefined && body.outcome !== 'done')
        .map(
          ({ body, timeMs }) => `the incident ${body.incident}, closed at ${at(timeMs)}, ended as "${body.outcome}"`,
        ),
    ],
  };
};

/** What was learned from each incident that is over. */
export const lessons: Observation = (facts) => {
  const closed = facts.of('incident.closed');
  if (closed.length === 0) return { claims: [], missing: [], uncalled: NO_INCIDENT };
  const held = facts.of('review.recorded').filter(({ body }) => body.review.startsWith('incident-'));
  const reviewed = new Set(held.map(({ body }) => body.review));
  return {
    claims: claim(`${times(held.length, 'review')} after an incident`, held),
    missing: closed
      .filter(({ body }) => !reviewed.has(`incident-${body.incident}`))
      .map(({ body }) => `no review of the incident ${body.incident} was recorded`),
  };
};

/** Kinds of step after which something is there again that was not. */
const BRINGING_BACK: ReadonlySet<unknown> = new Set([
  ...['restore', 'deploy', 'postgres.promote', 'postgres.reseed', 'redis.promote', 'redis.reseed'],
]);

/** Work that came back while what it takes was disturbed, for real or in a drill: a step that brings something back was done. */
export const continuity: Observation = (facts) => {
  const done = facts.of('step.finished').filter(({ body }) => body.outcome === 'done');
  const back = [...drillsOf(facts), ...incidentsOf(facts)].flatMap((run) => {
    const steps = done.filter(({ body }) => body.run === run.run && run.bringingBack.has(body.step));
    return run.isBack && steps.length > 0 ? [{ run, events: [...steps, run.ended] }] : [];
  });
  return {
    claims: claim(
      `what people use was brought back by ${times(back.length, 'run')} of a runbook, drilled or for real (${perName(back.map(({ run }) => run.runbook))})`,
      back.flatMap(({ events }) => events),
    ),
    missing: back.length === 0 ? ['no drill and no incident shows that what people use is brought back'] : [],
    remarks: ['how people work while systems are away is not in the ledger'],
  };
};

export const reviews: Observation = (facts) => {
  const held = facts.of('review.recorded');
  const planned = [...facts.plan.reviews];
  const lastOf = (name: string): number | undefined => held.findLast(({ body }) => body.review === name)?.timeMs;
  return {
    claims: claim(`${times(held.length, 'review')} recorded (${perName(held.map(({ body }) => body.review))})`, held),
    missing: [
      ...(planned.length === 0 ? ['the plan has no reviews'] : []),
      ...planned.flatMap(([name, schedule]) => {
        const lastMs = lastOf(name);
        if (lastMs === undefined) return [`the review "${name}" was not recorded`];
        const dueMs = missedDue(facts, schedule, lastMs);
        return dueMs === undefined ? [] : [`the review "${name}" that was due at ${at(dueMs)} was not recorded`];
      }),
    ],
  };
};

/** The plan as somebody put it into force, and said why. */
export const revisions: Observation = (facts) => {
  const applied = facts.of('plan.applied');
  const last = facts.before('plan.applied').at(-1);
  const missing =
    last === undefined
      ? 'no revision of the plan was ever applied'
      : `no revision of the plan was applied; the newest is ${last.body.revision}, of ${at(last.timeMs)}`;
  return {
    claims: claim(
      `revision ${listed(applied.map(({ body }) => String(body.revision)))} of the plan put into force, with author and reason`,
      applied,
    ),
    missing: applied.length === 0 ? [missing] : [],
  };
};

/** Which data matters how much: the plan's objectives, put into force and looked at. */
export const criticality: Observation = (facts) => {
  const decided = facts.of('plan.applied');
  const looked = facts.of('review.recorded').filter(({ body }) => facts.plan.reviews.has(body.review as never));
  const without = [...facts.plan.sources.values()]
    .filter(({ objectives }) => objectives.rpoMs === undefined || objectives.rtoMs === undefined)
    .map(({ name }) => name);
  return {
    claims: [
      ...claim(
        `objectives for ${times(facts.plan.sources.size, 'source')} put into force with revision ${listed(decided.map(({ body }) => String(body.revision)))}`,
        decided,
      ),
      ...claim(`${times(looked.length, 'review')} of the plan`, looked),
    ],
    missing: [
      ...(decided.length + looked.length === 0 ? ['nobody put the objectives into force, or reviewed them'] : []),
      ...(without.length > 0 ? [`no RPO or no RTO is given for ${listed(without)}`] : []),
    ],
  };
};

/** Drills that are over, oldest first. */
function drillsOf(facts: ComplianceFacts): Run[] {
  const started = new Map(
    [...facts.before('drill.started'), ...facts.of('drill.started')].map((each) => [each.body.drill, each]),
  );
  return facts.of('drill.finished').flatMap((end) => runOf(end, end.body, started.get(end.body.drill), facts));
}

function incidentsOf(facts: ComplianceFacts): Run[] {
  const opened = new Map(
    [...facts.before('incident.opened'), ...facts.of('incident.opened')].map((each) => [each.body.incident, each]),
  );
  return facts.of('incident.closed').flatMap((end) => runOf(end, end.body, opened.get(end.body.incident), facts));
}

function runOf(
  ended: { id: string; timeMs: number },
  { outcome = 'done', rtoMs }: { outcome?: string; rtoMs?: number },
  began: KnownEvent<'drill.started'> | KnownEvent<'incident.opened'> | undefined,
  { fromMs }: ComplianceFacts,
): Run[] {
  if (began === undefined) return [];
  const { id, timeMs, body } = began;
  const steps = body.steps ?? [];
  return [
    {
      run: 'drill' in body ? body.drill : body.incident,
      runbook: body.runbook ?? 'by hand',
      // What began before the period is no event of it.
      began: timeMs < fromMs ? ended : { id, timeMs },
      ...{ ended, outcome, isBack: rtoMs !== undefined && (outcome === 'done' || outcome === 'missed') },
      bringingBack: new Set(steps.filter((step) => BRINGING_BACK.has(step['do'])).map((step) => step['id'])),
    },
  ];
}
