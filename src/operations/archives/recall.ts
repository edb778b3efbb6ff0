import { HoldfastError } from '../../foundation/errors.ts';
import { type Pause, pauseUntilAborted } from '../../foundation/pause.ts';
import type { Progress } from '../../foundation/progress.ts';
import { sideBySide } from '../../foundation/promises.ts';
import { formatSize } from '../../foundation/units.ts';
import { loadIndex, packKey, Reader, type Selection, type StoredSnapshot } from '../../repository/index.ts';
import type { ObjectStore, RecallRequest, RecallTier, StoredObject } from '../../store/index.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

/** How what lies offline is asked for. */
export interface RecallOptions extends RecallRequest {
  /** Whether to wait until it can be read, which takes minutes to days. */
  wait: boolean;
}

/** What is cheap, and comes in the night; long enough for a restore that is begun late and takes a while. */
const DEFAULT_RECALL: RecallOptions = { tier: 'standard', days: 7, wait: false };

/** What Amazon said in 2025 that it takes at most; a tier that a class does not have is absent. */
const USUAL_TIMES: Readonly<Record<string, Readonly<Partial<Record<RecallTier, string>>>>> = {
  GLACIER: { expedited: '5 minutes', standard: '5 hours', bulk: '12 hours' },
  DEEP_ARCHIVE: { standard: '12 hours', bulk: '48 hours' },
};

const ASKED_AT_ONCE = 16;
const LOOK_AGAIN_MS = 60_000;

export interface RecallWanted {
  snapshots: readonly StoredSnapshot[];
  /** Of files: what is wanted of them. */
  selection?: Selection | undefined;
  options?: Partial<RecallOptions> | undefined;
}

/** Whether the content of a repository's snapshots must be asked for before it is read. */
export function isOffline({ plan }: Workspace, repository: string): boolean {
  return plan.repositories.get(repository)?.archive?.isOffline === true;
}

/**
 * Sees to it that the content of snapshots can be read where it lies in an archive that must be asked for it: all packs that
 * are needed are asked for at once, known by the trees, which can always be read.
 * @throws object-offline where that takes time and nobody waits
 */
export async function recallContent(
  workspace: Workspace,
  opened: OpenedRepository,
  { snapshots, selection, options: given }: RecallWanted,
  pause: Pause = pauseUntilAborted(workspace.environment.signal),
): Promise<void> {
  if (!isOffline(workspace, opened.name) || snapshots.length === 0) return;
  const options = { ...DEFAULT_RECALL, ...given };
  refuseTier(workspace, opened.name, options.tier);
  const progress = workspace.environment.progress(opened.name);
  const { store } = opened.repository;
  try {
    progress.phase('looking for what is needed');
    const offline = await offlineOf(store, await packsOf(opened, snapshots, selection));
    if (offline.length === 0) return;
    const unasked = offline.filter(({ offline: state }) => state === 'unasked');
    await askFor(store, unasked, options);
    const bytes = offline.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (unasked.length > 0) {
      const { tier, days } = options;
      const ids = snapshots.map(({ id }) => id);
      const asked = { repository: opened.name, snapshots: ids, packs: unasked.length, tier, days };
      await opened.ledger.append('content.recalled', asked);
    }
    if (!options.wait) throw notYet(workspace, opened.name, { packs: offline.length, bytes, options });
    progress.phase(`waiting for ${offline.length} packs`, { items: offline.length, bytes });
    for (const object of offline) await untilReadable(store, object, { options, pause, progress });
  } finally {
    progress.finish();
  }
}

async function packsOf(
  { repository }: OpenedRepository,
  snapshots: readonly StoredSnapshot[],
  selection: Selection | undefined,
): Promise<string[]> {
  const indexed = await loadIndex(repository);
  // The manifest is read by a restore of a part, too.
  const wanted = selection?.only && { ...selection, only: [...selection.only, '/.holdfast'] };
  const packs = new Set<string>();
  for (const snapshot of snapshots) {
    const reader = new Reader(indexed, snapshot);
    try {
      for (const pack of await reader.contentPacks(wanted ?? selection)) packs.add(pack);
    } finally {
      await reader.close();
    }
  }
  return [...packs];
}

async function offlineOf(store: ObjectStore, packs: readonly string[]): Promise<StoredObject[]> {
  const objects = await sideBySide(packs, ASKED_AT_ONCE, (pack) => store.stat(packKey(pack)));
  // What is missing is for the restore to find, and perhaps to be had elsewhere.
  return objects.filter((object) => object?.offline !== undefined) as StoredObject[];
}

async function askFor(store: ObjectStore, objects: readonly StoredObject[], request: RecallRequest): Promise<void> {
  await sideBySide(objects, ASKED_AT_ONCE, async ({ key }) => {
    if (store.recall === undefined) throw new HoldfastError('internal', `${store.location} is never asked for ${key}`);
    await store.recall(key, request);
  });
}

async function untilReadable(
  store: ObjectStore,
  { key, sizeBytes }: StoredObject,
  { options, pause, progress }: { options: RecallOptions; pause: Pause; progress: Progress },
): Promise<void> {
  for (let object = await store.stat(key); object?.offline !== undefined; object = await store.stat(key)) {
    // What came was gone again before all of it was there.
    if (object.offline === 'unasked') await askFor(store, [object], options);
    await pause(LOOK_AGAIN_MS);
  }
  progress.advance({ items: 1, bytes: sizeBytes });
}

function timesOf({ plan }: Workspace, name: string): Partial<Record<RecallTier, string>> | undefined {
  return USUAL_TIMES[plan.repositories.get(name)!.s3.storageClass ?? ''];
}

/** @throws bad-usage */
function refuseTier(workspace: Workspace, name: string, tier: RecallTier): void {
  const times = timesOf(workspace, name);
  if (times === undefined || times[tier] !== undefined) return;
  throw new HoldfastError('bad-usage', `the storage class of ${name} gives nothing back ${tier}`, {
    hint: `Give --recall-tier one of: ${Object.keys(times).join(', ')}.`,
  });
}

function notYet(
  workspace: Workspace,
  name: string,
  { packs, bytes, options: { tier, days } }: { packs: number; bytes: number; options: RecallOptions },
): HoldfastError {
  const takes = timesOf(workspace, name)?.[tier];
  const when = takes === undefined ? '' : `, which usually takes up to ${takes}`;
  return new HoldfastError(
    'object-offline',
    `${packs === 1 ? '1 pack' : `${packs} packs`} with ${formatSize(bytes)} of ${name} ${packs === 1 ? 'was' : 'were'} asked for and cannot be read yet`,
    {
      hint: `Run the same command again once they can be read${when}; from then on they can be for ${days} days. With --wait it waits for them itself.`,
      context: { repository: name, packs, bytes, tier, days },
    },
  );
}
