import { hasLog, isWatched, type Plan } from '../../plan/index.ts';
import type { Schedule } from '../../schedule/index.ts';
import { reportsOfPlan } from './report-names.ts';
import { PRIORITY, type Task, type TaskKind } from './task.ts';

/**
 * All that a plan has done by itself, in the order of the plan. Pure.
 *
 * What is continuous is followed; a source with a log is followed, and has its backups by its schedule beside that. An
 * archive without a schedule is copied by hand alone.
 */
export function tasksOfPlan(plan: Plan): Task[] {
  return [
    ...sourceTasks(plan),
    ...verificationTasks(plan),
    ...copyTasks(plan),
    ...upkeepTasks(plan),
    ...checkpointTasks(plan),
    ...reportTasks(plan),
    ...drillTasks(plan),
  ];
}

function sourceTasks({ sources }: Plan): Task[] {
  return [...sources.values()].flatMap((source) => {
    const { name, schedule } = source;
    const tasks: Task[] = [];
    if (schedule !== undefined && schedule.kind !== 'continuous') {
      tasks.push(task('backup', name, { schedule, priority: PRIORITY.backup, sources: [name] }));
    }
    if (hasLog(source) || isWatched(source)) {
      tasks.push(task('follow', name, { schedule: CONTINUOUS, priority: PRIORITY.backup }));
    }
    return tasks;
  });
}

const CONTINUOUS: Schedule = { kind: 'continuous', text: 'continuous' };

/** Not beside what tidies up the same repository: either would find it locked by the other. */
function verificationTasks({ verifications, sources: planned }: Plan): Task[] {
  return verifications.map(({ name, schedule, sources }) => {
    const repositories = new Set(sources.flatMap((source) => planned.get(source)?.repository ?? []));
    const busy = [...repositories].map((repository) => `repository/${repository}`);
    return task('verify', name, { schedule, priority: PRIORITY.proof, sources: busy });
  });
}

function copyTasks({ repositories, mirrors, upkeep }: Plan): Task[] {
  const archives = [...repositories.values()].flatMap(({ name, archive }) => {
    const schedule = archive?.schedule;
    return schedule === undefined ? [] : [task('archive', name, { schedule, priority: PRIORITY.upkeep })];
  });
  const copies = [...mirrors.keys()].map((name) =>
    task('replicate', name, { schedule: upkeep.replicate, priority: PRIORITY.upkeep }),
  );
  return [...archives, ...copies];
}

const UPKEEP = ['retain', 'prune', 'check'] as const;

function upkeepTasks({ repositories, upkeep }: Plan): Task[] {
  return [...repositories.keys()].flatMap((name) =>
    UPKEEP.map((kind) =>
      task(kind, name, { schedule: upkeep[kind], priority: PRIORITY.upkeep, sources: [`repository/${name}`] }),
    ),
  );
}

/** Of each repository that sources are kept in: what happens in an archive, its own events say, and those are few. */
function checkpointTasks({ repositories, ledger: { checkpoints } }: Plan): Task[] {
  if (checkpoints === undefined) return [];
  const { schedule } = checkpoints;
  const homes = [...repositories.values()].filter(({ archive }) => archive === undefined);
  return homes.map(({ name }) => task('checkpoint', name, { schedule, priority: PRIORITY.upkeep }));
}

function reportTasks(plan: Plan): Task[] {
  return reportsOfPlan(plan).map(({ name, report: { schedule } }) =>
    task('report', name, { schedule, priority: PRIORITY.upkeep }),
  );
}

/** One for each runbook, so that one that fails keeps none from being drilled. */
function drillTasks({ drills }: Plan): Task[] {
  return drills.flatMap(({ name, runbooks, schedule, isRescue }) =>
    (isRescue ? ['rescue'] : runbooks).map((what) =>
      task('drill', `${what}-${name}`, { schedule, priority: PRIORITY.proof }),
    ),
  );
}

function task(
  kind: TaskKind,
  subject: string,
  { sources = [], ...rest }: Pick<Task, 'schedule' | 'priority'> & Partial<Pick<Task, 'sources'>>,
): Task {
  return { id: `${kind}:${subject}`, kind, subject, sources, ...rest };
}
