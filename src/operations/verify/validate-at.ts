import type { Progress } from '../../foundation/progress.ts';
import type { Target } from '../../foundation/target.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { loadIndex, Reader, type StoredSnapshot } from '../../repository/index.ts';
import { type Check, readManifest, type Source } from '../../source/index.ts';
import { compare } from '../compare/compare.ts';
import { Reading } from '../reading.ts';
import { chooseSnapshot, labelOf, replaysLog, targetOf } from '../restore/restore.ts';
import { sandboxNeed } from '../restore/sandbox-need.ts';
import { onServedCopy } from '../restore/served-copy.ts';
import { withScratch } from '../scratch.ts';
import { damageNote, readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

export interface ValidateAtRequest {
  source: string;
  /** A directory or a URL, as given. */
  at: string;
  /** What it is to be: a snapshot's id, and of a source with a log the moment; the newest, when left out. */
  snapshot?: string;
  moment?: string;
  /** It lives, and goes on from what the snapshot has: what became other is no failure. */
  isLiving?: boolean;
  repository?: string;
}

export interface ValidatedAt {
  source: string;
  snapshot: string;
  /** RFC 3339: the moment that it was held against. */
  time: string;
  /** Fit to be shown. */
  place: string;
  checks: Check[];
  notes: string[];
}

/**
 * Says whether what is at a place is what a recovery point of a source is, and what the plan's own checks find there. It only
 * reads there.
 * @throws what keeps it from being looked at
 */
export async function validateAt(workspace: Workspace, request: ValidateAtRequest): Promise<ValidatedAt> {
  const planned = workspace.sources([request.source])[0]!;
  const opened = await workspace.openToRead(workspace.repositoryName(request.repository ?? planned.repository));
  const reading = await Reading.begin(opened, workspace.environment.clock);
  try {
    const { snapshots, damaged } = await readableSnapshots(opened.repository);
    reading.notes.push(...damaged.map(damageNote));
    const { snapshot: id, moment: at } = request;
    const asked = id === undefined ? { ...(at !== undefined && { at }) } : { snapshot: id };
    const snapshot = chooseSnapshot(snapshots, workspace, { source: planned.name, ...asked });
    const found = await lookAt(workspace, opened, { planned, snapshot, request });
    return { ...found, notes: [...found.notes, ...reading.notes] };
  } finally {
    await reading.end();
  }
}

interface Look {
  planned: PlanSource;
  snapshot: StoredSnapshot;
  request: ValidateAtRequest;
}

async function lookAt(workspace: Workspace, opened: OpenedRepository, look: Look): Promise<ValidatedAt> {
  const { planned, snapshot, request } = look;
  const { clock } = workspace.environment;
  const target = targetOf(request.at);
  const progress = workspace.environment.progress(planned.name);
  const reader = new Reader(await loadIndex(opened.repository), snapshot);
  try {
    const manifest = await readManifest(reader);
    const need = sandboxNeed(planned, manifest);
    const isCluster = need.kind === 'postgres-data';
    const source = await workspace.createSource(planned);
    const isMoment = replaysLog(planned, { ...(request.moment !== undefined && { at: request.moment }) });
    if (request.isLiving !== true && (isCluster || (isMoment && request.moment !== undefined))) {
      if (!isCluster || target.kind !== 'directory')
        return await compareAt(workspace, opened, look, { source, target });
      return await onServedCopy(workspace, { path: target.path, need }, progress, (served) =>
        compareAt(workspace, opened, look, { source, target, served }),
      );
    }
    const timeMs = request.isLiving === true ? clock.nowMs() : Date.parse(snapshot.time);
    const { checks, notes } = await validateWith(workspace, { source, reader, target, timeMs, progress, request });
    const judged = request.isLiving === true ? checks.map(ofLiving) : checks;
    return {
      source: planned.name,
      snapshot: snapshot.id,
      time: snapshot.time,
      place: labelOf(target),
      checks: judged,
      notes,
    };
  } finally {
    progress.finish();
    await reader.close();
  }
}

async function validateWith(
  { environment }: Workspace,
  {
    source,
    reader,
    target,
    timeMs,
    progress,
    request,
  }: { source: Source; reader: Reader; target: Target; timeMs: number; progress: Progress; request: ValidateAtRequest },
) {
  const { clock, signal } = environment;
  const isReplayed = request.isLiving === true;
  return withScratch((scratchDirectory) =>
    source.validate(reader, target, { clock, progress, signal, scratchDirectory, timeMs, isReplayed }),
  );
}

/** What a cluster, or a stream, leads to is known once it was replayed: that is held against the place. */
async function compareAt(
  workspace: Workspace,
  { name: repository }: OpenedRepository,
  { planned, snapshot, request }: Look,
  { source, target, served }: { source: Source; target: Target; served?: Target },
): Promise<ValidatedAt> {
  const { at, moment } = request;
  const point = moment === undefined ? { snapshot: snapshot.id } : { at: moment };
  const compared = await compare(workspace, {
    source: planned.name,
    with: at,
    repository,
    ...point,
    ...(served && { served }),
  });
  const { signal } = workspace.environment;
  const planChecks =
    (await source.checkPlanned?.(served ?? target, { signal, timeMs: Date.parse(compared.time) })) ?? [];
  const { differences } = compared;
  const named = differences.slice(0, 5).map(({ item, detail }) => `${item} ${detail}`);
  const content: Check = {
    name: 'contents',
    result: differences.length === 0 ? 'passed' : 'failed',
    detail:
      differences.length === 0
        ? `${compared.compared} compared, all equal`
        : `${differences.length} differ: ${named.join('; ')}`,
  };
  const { time, notes } = compared;
  return {
    ...{ source: planned.name, snapshot: compared.snapshot, time, place: labelOf(target), notes },
    checks: [content, ...planChecks],
  };
}

/** Rows come and go in what lives. That a table is gone is a failure all the same. */
function ofLiving(check: Check): Check {
  const isOfRows = /^(?:rows |large objects)/.test(check.name);
  const isGone = /missing|other columns/.test(check.detail);
  if (check.result !== 'failed' || !isOfRows || isGone) return check;
  return { ...check, result: 'passed', detail: `${check.detail}: it has gone on since` };
}
