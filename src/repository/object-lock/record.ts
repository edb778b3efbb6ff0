import { asId, asRecord, sealJson, unsealJsonText } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { LockMode, ObjectStore } from '../../store/index.ts';
import { HELD_KEY } from '../layout.ts';
import type { Repository } from '../repository.ts';

const VERSION = 1;

/** How objects are to be locked. */
export interface LockPeriod {
  mode: LockMode;
  forMs: number;
}

/**
 * What a pass over a copy of a repository left: all that was needed then is locked until then at least, and what was written
 * since is locked for as long from when it was written. It saves asking the store; where it is wrong, the store is right.
 */
export interface HeldRecord extends LockPeriod {
  /** When the pass began, in milliseconds since 1970. */
  untilMs: number;
  /** When nothing was found hidden for the last time; 0 when nobody looked. */
  lookedMs: number;
  /** Packs that no kept snapshot needed, whose locks were left as they were. */
  unneeded: string[];
}

/** The record of a copy; undefined where there is none that can be believed: then a pass is due. */
export async function readHeldRecord({ key }: Repository, store: ObjectStore): Promise<HeldRecord | undefined> {
  try {
    const text = unsealJsonText(key, await store.get(HELD_KEY)).toString('utf8');
    const record = asRecord(JSON.parse(text), 'the record of locks');
    const { version, mode, forMs, untilMs, lookedMs, unneeded } = record;
    const isWhole = version === VERSION && (mode === 'governance' || mode === 'compliance') && Array.isArray(unneeded);
    if (!isWhole || [forMs, untilMs, lookedMs].some((each) => typeof each !== 'number')) return undefined;
    const times = { forMs: forMs as number, untilMs: untilMs as number, lookedMs: lookedMs as number };
    return { mode, ...times, unneeded: unneeded.map((id) => asId(id, "a pack's id")) };
  } catch (error) {
    const isUseless = error instanceof SyntaxError || isHoldfastError(error, 'object-missing');
    if (isUseless || isHoldfastError(error, 'repository-damaged')) return undefined;
    throw error;
  }
}

/** Notes that nothing was found hidden now. */
export async function noteLooked(repository: Repository, store: ObjectStore, lookedMs: number): Promise<void> {
  const record = await readHeldRecord(repository, store);
  if (record !== undefined) await writeHeldRecord(repository, store, { ...record, lookedMs });
}

/**
 * Where who cannot delete may not replace it either, the record that is there stays: what it says still holds, and what was
 * done since is found to be due again until somebody writes it who may.
 * @throws the store's errors
 */
export async function writeHeldRecord(
  { key, config }: Repository,
  store: ObjectStore,
  record: HeldRecord,
): Promise<void> {
  try {
    await store.put(HELD_KEY, sealJson(key, { version: VERSION, ...record }, config.version));
  } catch (error) {
    if (!isHoldfastError(error, 'permission-denied')) throw error;
    const { deletes = true } = await store.capabilities();
    if (deletes || (await store.stat(HELD_KEY)) === undefined) throw error;
  }
}
