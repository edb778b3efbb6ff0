import { sealJson, unsealJsonText } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { ObjectStore } from '../../store/index.ts';
import { TAIL_PREFIX } from '../layout.ts';
import type { Repository } from '../repository.ts';
import { compareRanges, type LogRange, lsnText, parseLsnText } from './log-range.ts';
import type { Stamp } from './stamps.ts';
import {
  damaged,
  type HistoryHeader,
  isHeaderOf,
  type LogHeader,
  openTailObject,
  sealTailObject,
  type TailObject,
} from './tail-object.ts';

const LSN_DIGITS = 16;
const TIMELINE_DIGITS = 8;
const RANGE_NAME = /^(\d{1,20})\/([0-9A-F]{8})\/([0-9A-F]{16})-([0-9A-F]{16})$/;
const HISTORY_NAME = /^(\d{1,20})\/([0-9A-F]{8})\/history$/;
const COVERED_NAME = 'covered';

/** Whose log it is. */
export interface TailOwner {
  plan: string;
  source: string;
}

/** A part of the log that lies in the tail, as its name says. */
export interface TailEntry extends LogRange {
  key: string;
  system: string;
  /** Sealed. */
  sizeBytes: number;
}

/** A file that says where a timeline left another one. */
export interface TailHistory {
  key: string;
  system: string;
  timeline: number;
}

export interface TailListing {
  entries: TailEntry[];
  histories: TailHistory[];
  /** Keys that are no names of what a tail has. */
  others: string[];
}

/** Up to which moment, by the server's clock, the log in the repository is all that there is. */
export interface Covered {
  system: string;
  timeline: number;
  lsn: string;
  /** RFC 3339. */
  coveredUntil: string;
}

/**
 * The newest part of a source's log, before it becomes a snapshot: sealed objects beside what is restic's.
 *
 * An object's name says which bytes it holds, and the bytes of a cluster's timeline never change: writing one again, or two
 * that overlap, does no harm. Nothing here needs a lock: no upkeep looks at these objects.
 */
export class LogTail {
  readonly owner: TailOwner;
  readonly #repository: Repository;
  /** What the keys of its objects begin with. */
  readonly prefix: string;

  constructor(repository: Repository, owner: TailOwner) {
    this.#repository = repository;
    this.owner = owner;
    this.prefix = `${TAIL_PREFIX}${owner.plan}/${owner.source}/`;
  }

  /** What is there, by its names; in order of timeline and position. */
  async list(): Promise<TailListing> {
    const entries: TailEntry[] = [];
    const histories: TailHistory[] = [];
    const others: string[] = [];
    for await (const { key, sizeBytes } of this.#repository.store.list(this.prefix)) {
      const name = key.slice(this.prefix.length);
      const range = RANGE_NAME.exec(name);
      const history = HISTORY_NAME.exec(name);
      if (range !== null) {
        const [start, end] = [BigInt(`0x${range[3]}`), BigInt(`0x${range[4]}`)];
        const timeline = Number.parseInt(range[2]!, 16);
        if (start < end) entries.push({ key, sizeBytes, system: range[1]!, timeline, start, end });
        else others.push(key);
      } else if (history !== null) {
        histories.push({ key, system: history[1]!, timeline: Number.parseInt(history[2]!, 16) });
      } else if (name !== COVERED_NAME) others.push(key);
    }
    return { entries: entries.sort(compareRanges), histories, others: others.sort() };
  }

  /**
   * Seals a part of the log; `write` stores it, durably when it resolves.
   * @param head with `segmentBytes` of a log that has segments, without of a stream
   */
  sealLog(range: LogRange, { segmentBytes, ...head }: PartFacts, bytes: Buffer, stamps: Stamp[] = []): SealedObject {
    const said = { ...this.owner, ...head, ...textsOf(range) };
    const header: LogHeader =
      segmentBytes === undefined
        ? { version: 2, kind: 'stream', ...said, stampsBytes: 0 }
        : { version: 1, kind: 'log', ...said, segmentBytes };
    const name = `${this.#timelinePrefix(header.system, range.timeline)}${lsnDigits(range.start)}-${lsnDigits(range.end)}`;
    return { key: name, sealed: sealTailObject(this.#repository.key, { header, bytes, stamps }) };
  }

  async write({ key, sealed }: SealedObject): Promise<void> {
    await this.#repository.store.put(key, sealed);
  }

  /** Stores what lay elsewhere in the meantime. @throws repository-damaged when it is not sealed for this repository */
  async writeLater(object: SealedObject): Promise<void> {
    openTailObject(this.#repository.key, object.key, object.sealed);
    await this.write(object);
  }

  /** The bytes of a part, authenticated, and what was known of them. @throws object-missing, repository-damaged */
  async read(entry: TailEntry): Promise<TailPart> {
    const { header, bytes, stamps } = await this.#open(entry.key);
    if (header.kind === 'history' || !this.#isOwn(header, entry.system) || !isHeaderOf(header, entry)) {
      throw damaged(entry.key, 'it was moved here from another place');
    }
    if (BigInt(bytes.length) !== entry.end - entry.start) throw damaged(entry.key, 'it holds too much or too little');
    return { header, bytes, stamps };
  }

  async remove({ key }: TailEntry): Promise<void> {
    await this.#store.delete(key);
  }

  /** Keeps the file that says how a timeline came about. */
  async writeHistory(system: string, timeline: number, { name, bytes, named }: HistoryFile): Promise<void> {
    const called = { name, ...(named && { alias: named.alias, begin: lsnText(named.begin) }) };
    const header: HistoryHeader = { version: 1, kind: 'history', ...this.owner, system, timeline, ...called };
    const key = `${this.#timelinePrefix(system, timeline)}history`;
    await this.write({ key, sealed: sealTailObject(this.#repository.key, { header, bytes, stamps: [] }) });
  }

  async readHistory({ key, system, timeline }: TailHistory): Promise<HistoryFile> {
    const { header, bytes } = await this.#open(key);
    if (header.kind !== 'history' || !this.#isOwn(header, system) || header.timeline !== timeline) {
      throw damaged(key, 'it was moved here from another place');
    }
    const { name, alias, begin } = header;
    return { name, bytes, ...(alias !== undefined && { named: { alias, begin: parseLsnText(begin) } }) };
  }

  /** Says that the log had grown no further by a later moment. */
  async writeCovered(covered: Covered): Promise<void> {
    const { key, config } = this.#repository;
    await this.#store.put(
      `${this.prefix}${COVERED_NAME}`,
      sealJson(key, { version: 1, ...this.owner, ...covered }, config.version),
    );
  }

  /** @throws repository-damaged */
  async readCovered(): Promise<Covered | undefined> {
    const name = `${this.prefix}${COVERED_NAME}`;
    let sealed: Uint8Array;
    try {
      sealed = await this.#store.get(name);
    } catch (error) {
      if (isHoldfastError(error, 'object-missing')) return undefined;
      throw error;
    }
    return this.#openCovered(name, sealed);
  }

  #openCovered(name: string, sealed: Uint8Array): Covered {
    try {
      const text = unsealJsonText(this.#repository.key, sealed).toString('utf8');
      const value = JSON.parse(text) as Covered & TailOwner;
      const { system, timeline, lsn, coveredUntil } = value;
      if (this.#isOwn(value, system) && !Number.isNaN(Date.parse(coveredUntil))) {
        return { system, timeline, lsn, coveredUntil };
      }
    } catch (error) {
      if (error instanceof HoldfastError || error instanceof SyntaxError) throw damaged(name, error.message, error);
      throw error;
    }
    throw damaged(name, 'it does not say what it should');
  }

  #open(key: string): Promise<TailObject> {
    return this.#repository.read(key, (sealed) => openTailObject(this.#repository.key, key, sealed));
  }

  get #store(): ObjectStore {
    return this.#repository.store;
  }

  #isOwn(header: TailOwner & { system: string }, system: string): boolean {
    return header.plan === this.owner.plan && header.source === this.owner.source && header.system === system;
  }

  #timelinePrefix(system: string, timeline: number): string {
    return `${this.prefix}${system}/${timeline.toString(16).toUpperCase().padStart(TIMELINE_DIGITS, '0')}/`;
  }
}

/** What part of whose log an object of a tail is, as its key says; undefined for what is none. */
export function parseTailKey(key: string): (TailOwner & LogRange & { key: string; system: string }) | undefined {
  if (!key.startsWith(TAIL_PREFIX)) return undefined;
  const [plan, source, ...name] = key.slice(TAIL_PREFIX.length).split('/');
  const range = RANGE_NAME.exec(name.join('/'));
  if (range === null) return undefined;
  const [start, end] = [BigInt(`0x${range[3]}`), BigInt(`0x${range[4]}`)];
  return { key, plan: plan!, source: source!, system: range[1]!, timeline: Number.parseInt(range[2]!, 16), start, end };
}

/** Whose tails a repository has, and the keys below their place that are nobody's. */
export async function listTails({ store }: Repository): Promise<{ owners: TailOwner[]; strangers: string[] }> {
  const owners = new Map<string, TailOwner>();
  const strangers: string[] = [];
  for await (const { key } of store.list(TAIL_PREFIX)) {
    const [plan, source, ...name] = key.slice(TAIL_PREFIX.length).split('/');
    if (name.length === 0) strangers.push(key);
    else owners.set(`${plan}/${source}`, { plan: plan!, source: source! });
  }
  return { owners: [...owners.values()], strangers };
}

/** What is said of a part of a log beside whose it is, and from where to where. */
export interface PartFacts {
  system: string;
  /** How long the server's segments are; a stream has none. */
  segmentBytes?: number | undefined;
  coveredUntil: string | null;
  writtenAt: string;
}

export interface TailPart {
  header: LogHeader;
  bytes: Buffer;
  /** Of a stream, in its order. */
  stamps: Stamp[];
}

function textsOf({ timeline, start, end }: LogRange): { timeline: number; start: string; end: string } {
  return { timeline, start: lsnText(start), end: lsnText(end) };
}

/** An object of a tail that is ready to be stored. */
export interface SealedObject {
  key: string;
  sealed: Buffer;
}

export interface HistoryFile {
  /** As the server calls it: `00000002.history`. */
  name: string;
  bytes: Buffer;
  /** Of a stream. */
  named?: TimelineName;
}

export interface TimelineName {
  /** The system that the timeline is where a backup knows nothing of those before it, and takes it for the first of one. */
  alias: string;
  /** Where it begins: the stream may be cut there, where it does not go on from another timeline. */
  begin: bigint;
}

/** 16 digits, so that names sort as positions do. */
export function lsnDigits(lsn: bigint): string {
  return lsn.toString(16).toUpperCase().padStart(LSN_DIGITS, '0');
}
