import { HoldfastError } from '../../foundation/errors.ts';
import { findGone, listSnapshots, snapshotKey } from '../../repository/index.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { namedAsRemoved } from './removals.ts';

/** Of more than that part of a mirror's objects nobody loses sight without having to type its name. */
const CONFIRMED_SHARE = 0.25;

export interface AcceptRequest {
  /** The name of a mirror. */
  mirror: string;
  /** Recorded with the name of who runs this. May be left out on a dry run. */
  why?: string;
  /** The mirror's name again, where much is gone. */
  confirm?: string;
  dryRun: boolean;
}

/** What a mirror has, its primary has lost, and no event named before. */
export interface Missing {
  repository: string;
  mirror: string;
  /** Keys. */
  objects: string[];
  bytes: number;
  /** Those of the objects that are snapshots, oldest first. */
  snapshots: { id: string; time: string; paths: string[]; tags: string[] }[];
  /** Whether the mirror's name has to be typed. */
  needsConfirmation: boolean;
  /** Whether it was recorded now: then the mirror's next run lets it go. */
  accepted: boolean;
}

/**
 * Records that what is gone from a primary was meant to go, so that its mirrors let it go as well. Nothing is removed by
 * this itself, and never more than what is missing now and is named here.
 * @throws bad-usage where no reason is given, or the name of the mirror is not typed although it must be; repository-damaged
 *   when the primary has lost a part of its ledger: what was to be removed cannot be told then
 */
export async function acceptMissing(workspace: Workspace, request: AcceptRequest): Promise<Missing> {
  const { mirror, why, confirm, dryRun } = request;
  const planned = workspace.plan.mirrors.get(workspace.repositoryName(mirror));
  if (planned === undefined) throw new HoldfastError('bad-usage', `${mirror} is no mirror`, { hint: 'Name a mirror.' });
  if (!dryRun && (why ?? '').trim() === '') {
    throw new HoldfastError('bad-usage', 'no reason is given', {
      hint: 'Say with `--why` who removed it and for what: it is recorded in the ledger.',
    });
  }
  const opened = await workspace.open(planned.of, { uncached: true });
  const missing = await findMissing(workspace, opened, mirror);
  if (dryRun || missing.objects.length === 0) return missing;
  if ((missing.needsConfirmation || confirm !== undefined) && confirm !== mirror) throw unconfirmed(missing, confirm);
  await opened.ledger.append('missing.accepted', {
    repository: planned.of,
    mirror,
    objects: missing.objects,
    why: why!.trim(),
  });
  return { ...missing, accepted: true };
}

async function findMissing(workspace: Workspace, opened: OpenedRepository, mirror: string): Promise<Missing> {
  const copy = (await workspace.openToRead(mirror, { uncached: true })).repository;
  const { gone, all } = await findGone(opened.repository, copy.store);
  const named = gone.size === 0 ? new Set<string>() : await namedAsRemoved(workspace, opened, [...gone.keys()]);
  const objects = [...gone.keys()].filter((key) => !named.has(key)).sort();
  const isMissing = new Set(objects);
  const snapshots = await listSnapshots(copy);
  const lost = snapshots.filter(({ id }) => isMissing.has(snapshotKey(id)));
  return {
    repository: opened.name,
    mirror,
    objects,
    bytes: objects.reduce((sum, key) => sum + gone.get(key)!, 0),
    snapshots: lost.map(({ id, time, paths, tags = [] }) => ({ id, time, paths, tags })),
    needsConfirmation:
      objects.length > all * CONFIRMED_SHARE ||
      (lost.length > 0 && (await listSnapshots(opened.repository)).length === 0),
    accepted: false,
  };
}

function unconfirmed({ mirror, repository, objects, snapshots }: Missing, given: string | undefined): HoldfastError {
  const much = `${objects.length} of the objects of ${mirror} are gone from ${repository}, ${snapshots.length} of its snapshots among them`;
  return new HoldfastError(
    'bad-usage',
    given === undefined ? much : `--confirm ${JSON.stringify(given)} is not the name of the mirror`,
    {
      hint: `Look at them with \`--dry-run\`. If all of that was meant to go, type \`--confirm ${mirror}\`; if not, \`holdfast check ${repository} --repair\` puts it back.`,
      context: { repository, mirror, objects: objects.length, snapshots: snapshots.length },
    },
  );
}
