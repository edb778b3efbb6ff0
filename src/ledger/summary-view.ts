import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { makeDirectories } from '../foundation/directories.ts';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { settled, sideBySide } from '../foundation/promises.ts';
import { FollowedEvents, type KeptEvents, type TakenObject } from './followed-events.ts';
import { parseLedgerKey } from './objects.ts';
import { isLarge, listLedger, readLedgerObject } from './read-objects.ts';
import type { LedgerStorage, StoredLedgerObject } from './storage.ts';
import type { Summary } from './summary.ts';

const READ_AT_ONCE = 32;
/** So much of the sealed objects is in memory at a time, where all are read; and so many of them. */
const SLICE_BYTES = 4 * 1024 * 1024;
const SLICE_OBJECTS = 1024;
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
/** Of what is kept on this machine: another one for each form of it. */
const FORM = 1;

interface KeptFile<State> {
  form: typeof FORM;
  summary: string;
  kept: KeptEvents<State>;
}

/** How a summary comes to be: what reads all of a ledger, and checks it. */
export interface ViewOptions {
  /** Absolute: where this machine may keep it, sealed; it may be removed at any time. */
  file?: string | undefined;
  /** Reads all of the ledger. @throws repository-damaged when it is not whole */
  assertWhole(): Promise<void>;
  /** See `FollowedEvents`. */
  newest?: number;
}

/**
 * What a ledger comes to, kept while it grows: only objects that are new are read. What vanished, came late or does not fit
 * has all of it read anew. Of a large ledger it is kept on this machine as well.
 */
export class SummaryView<State> {
  readonly #storage: LedgerStorage;
  readonly #summary: Summary<State>;
  readonly #options: ViewOptions;
  #followed: FollowedEvents<State> | undefined;
  #versions = 0;
  #keptAdvances = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(storage: LedgerStorage, summary: Summary<State>, options: ViewOptions) {
    this.#storage = storage;
    this.#summary = summary;
    this.#options = options;
  }

  /**
   * What all events come to now. The state changes with the next reading, and `version` is another one then.
   * @throws repository-damaged when the ledger is not whole, as far as it is read; the store's errors
   */
  read(): Promise<{ state: State; version: number }> {
    const turn = this.#turn.then(() => this.#read());
    this.#turn = settled(turn);
    return turn;
  }

  async #read(): Promise<{ state: State; version: number }> {
    this.#followed ??= await this.#restored();
    const known = this.#followed;
    const followed = (known && (await this.#followOn(known))) ?? (await this.#readAnew());
    this.#followed = followed;
    return { state: followed.state, version: this.#versions + followed.version };
  }

  /** Twice: a listing is not one moment. */
  async #followOn(known: FollowedEvents<State>): Promise<FollowedEvents<State> | undefined> {
    for (let attempt = 0; attempt < 2; attempt++) {
      const listed = await listLedger(this.#storage);
      const { fresh, gone } = known.differenceTo(listed);
      if (fresh.length + gone.length === 0) return known;
      const objects = await this.#readObjects(fresh);
      if (objects === undefined || !known.take(objects, gone)) continue;
      await this.#keep(known, listed);
      return known;
    }
    return undefined;
  }

  /** Day by day, so that not all of it is in memory at once; where days do not follow one another, as a whole. */
  async #readAnew(): Promise<FollowedEvents<State>> {
    this.#versions += 1 + (this.#followed?.version ?? 0);
    this.#followed = undefined;
    for (const sliced of [slices, slices, asOne, asOne]) {
      const listed = await listLedger(this.#storage);
      const followed = await this.#readSlices(sliced(listed));
      if (followed === undefined) continue;
      await this.#keep(followed, listed);
      return followed;
    }
    await this.#options.assertWhole();
    throw new HoldfastError('repository-damaged', 'the ledger changes in ways that no program changes it', {
      hint: 'See what is wrong with `holdfast ledger verify`.',
    });
  }

  async #readSlices(parts: readonly StoredLedgerObject[][]): Promise<FollowedEvents<State> | undefined> {
    const followed = new FollowedEvents(this.#summary, undefined, this.#options.newest);
    for (const part of parts) {
      const objects = await this.#readObjects(part);
      if (objects === undefined || !followed.take(objects, [])) return undefined;
    }
    return followed;
  }

  /** Undefined where some of them are gone since they were listed. @throws repository-damaged */
  async #readObjects(listed: readonly StoredLedgerObject[]): Promise<TakenObject[] | undefined> {
    try {
      return await sideBySide(listed, READ_AT_ONCE, async (entry) => ({
        ...entry,
        events: await readLedgerObject(this.#storage, entry.key),
      }));
    } catch (error) {
      if (!isHoldfastError(error, 'object-missing')) throw error;
      return undefined;
    }
  }

  /** What this machine kept of it, where it can be used. */
  async #restored(): Promise<FollowedEvents<State> | undefined> {
    const { file } = this.#options;
    if (file === undefined) return undefined;
    try {
      const { form, summary, kept } = deserialize(this.#storage.unseal(await readFile(file))) as KeptFile<State>;
      if (form !== FORM || summary !== this.#summary.name) return undefined;
      return new FollowedEvents(this.#summary, kept, this.#options.newest);
    } catch {
      // It was never kept, or by another program, or damaged since: the objects decide.
      return undefined;
    }
  }

  async #keep(followed: FollowedEvents<State>, listed: readonly StoredLedgerObject[]): Promise<void> {
    const { file } = this.#options;
    const isKept = followed === this.#followed && followed.advances === this.#keptAdvances;
    if (file === undefined || isKept || !isLarge(listed)) return;
    this.#keptAdvances = followed.advances;
    const content: KeptFile<State> = { form: FORM, summary: this.#summary.name, kept: followed.kept };
    const partial = `${file}.${randomBytes(8).toString('hex')}.partial`;
    const written = makeDirectories(dirname(file), DIRECTORY_MODE)
      .then(() => writeFile(partial, this.#storage.seal(serialize(content)), { mode: FILE_MODE, flag: 'wx' }))
      .then(() => rename(partial, file));
    // What cannot be kept is read again by the next process.
    await settled(written.catch(() => rm(partial, { force: true })));
  }
}

/** Days in their order, then what is newer as it was written. */
function slices(listed: readonly StoredLedgerObject[]): StoredLedgerObject[][] {
  const isDay = ({ key }: StoredLedgerObject) => parseLedgerKey(key)?.form === 'day';
  const byKey = (a: StoredLedgerObject, b: StoredLedgerObject) => (a.key < b.key ? -1 : 1);
  const days = listed.filter(isDay).sort(byKey);
  const chains = listed.filter((entry) => !isDay(entry));
  const parts: StoredLedgerObject[][] = [];
  let bytes = 0;
  for (const entry of [...days, ...chains.sort((a, b) => a.modifiedMs - b.modifiedMs || byKey(a, b))]) {
    const last = parts.at(-1);
    bytes = last === undefined || last.length >= SLICE_OBJECTS || bytes >= SLICE_BYTES ? 0 : bytes;
    if (last === undefined || bytes === 0) parts.push([entry]);
    else last.push(entry);
    bytes += entry.sizeBytes;
  }
  return parts;
}

function asOne(listed: readonly StoredLedgerObject[]): StoredLedgerObject[][] {
  return [[...listed]];
}
