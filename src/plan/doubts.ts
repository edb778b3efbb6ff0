/** What is legal in a plan and still doubtful. Pure. */
import { isAbsolute, relative } from 'node:path';
import { longestGapMs } from '../schedule/index.ts';
import type { Finding } from './problems.ts';
import { runbookDoubts } from './runbooks/runbook-doubts.ts';
import type { Service } from './service-schema.ts';
import { signingKeyDoubts } from './signing-key-place.ts';
import { hasLog, type Source } from './sources/index.ts';
import { parseStore } from './store.ts';
import type { Plan, Repository } from './view.ts';

/** The warnings of a plan that is otherwise right. */
export function doubts(plan: Plan): Finding[] {
  const ofSources = [...plan.sources.values()].flatMap((source) => [
    ...promiseDoubts(source),
    ...scheduleDoubts(source, plan),
    ...keepingDoubts(source),
    ...proofDoubts(source),
    ...ownRepositoryDoubts(source, plan),
    ...outsideDoubts(source),
    ...workerDoubts(source),
  ]);
  const ofServices = [...plan.services.values()].flatMap(placeDoubts);
  return [
    ...[...plan.repositories.values()].flatMap(archiveDoubts),
    ...ofSources,
    ...ofServices,
    ...runbookDoubts(plan),
    ...signingKeyDoubts(plan),
  ];
}

/** Only a worker could ask from another place, and there are none yet. */
function placeDoubts({ name, from }: Service): Finding[] {
  if (from === undefined) return [];
  const message = `it is asked from where \`serve\` runs, whatever place this names: what is told of "${from}" is seen from there`;
  return [{ path: ['services', name, 'from'], at: 'value', message }];
}

function archiveDoubts({ name, archive }: Repository): Finding[] {
  if (archive === undefined) return [];
  const path = ['repositories', name];
  const unplanned = 'no schedule: it is copied only by hand';
  return [
    ...(archive.retention === undefined
      ? [{ path, at: 'key' as const, message: 'no retention: everything is kept' }]
      : []),
    ...(archive.schedule === undefined ? [{ path: [...path, 'copies'], at: 'key' as const, message: unplanned }] : []),
  ];
}

function promiseDoubts(source: Source): Finding[] {
  const { rpoMs, rtoMs } = source.objectives;
  const absent = [rpoMs === undefined ? 'RPO' : '', rtoMs === undefined ? 'RTO' : ''].filter((name) => name !== '');
  if (absent.length === 0) return [];
  return [about(source, [], `no ${absent.join(' and no ')}: nothing says when it is too late`)];
}

function scheduleDoubts(source: Source, plan: Plan): Finding[] {
  if (source.schedule === undefined) return [about(source, [], 'no schedule: it is backed up only by hand')];
  if (hasLog(source)) return [];
  const gapMs = longestGapMs(source.schedule, plan.timezone);
  if (gapMs === undefined || gapMs === 0 || gapMs !== source.objectives.rpoMs) return [];
  return [about(source, ['schedule'], 'as long as the RPO: it is missed while each backup runs')];
}

function keepingDoubts(source: Source): Finding[] {
  return source.retention === undefined ? [about(source, [], 'no retention: everything is kept')] : [];
}

function proofDoubts(source: Source): Finding[] {
  if (source.type !== 'postgres' || source.validate.length > 0) return [];
  const looked =
    source.method === 'physical' ? 'started and read whole, and compared' : 'compared with what was captured, and';
  return [about(source, [], `no validate: a restore is ${looked} with nothing you know of it`)];
}

function workerDoubts(source: Source): Finding[] {
  if (source.runsOn === undefined) return [];
  return [about(source, ['runsOn'], 'there are no workers in this version: it is worked on where Holdfast runs')];
}

function ownRepositoryDoubts(source: Source, plan: Plan): Finding[] {
  const store = plan.repositories.get(source.repository)?.store;
  const place = typeof store === 'string' ? parseStore(store, plan.directory) : undefined;
  if (source.type !== 'files' || place === undefined || 'problem' in place || place.kind !== 'local') return [];
  const within = source.paths.findIndex((path) => typeof path === 'string' && contains(path, place.path));
  if (within < 0) return [];
  return [about(source, ['paths', within], `holds the repository "${source.repository}", which would back up itself`)];
}

function outsideDoubts(source: Source): Finding[] {
  if (source.type !== 'firestore' || source.method !== 'managed') return [];
  const message =
    'the documents lie in the bucket and not in the repository: they are not encrypted, checked, mirrored, kept nor removed with it';
  return [about(source, ['method'], message)];
}

function contains(directory: string, path: string): boolean {
  const below = relative(directory, path);
  return !below.startsWith('..') && !isAbsolute(below);
}

function about(source: Source, path: readonly PropertyKey[], message: string): Finding {
  return { path: ['sources', source.name, ...path], at: path.length === 0 ? 'key' : 'value', message };
}
