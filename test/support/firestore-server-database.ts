/**
 * One database of the test server: every version of every document, so that any time can be read.
 *
 * Source: Google Cloud, "Firestore: usage and limits", "Point-in-time recovery overview" and the comments of
 * `google.firestore.v1`.
 */

import { status } from '@grpc/grpc-js';
import { applyTransforms, masked } from './firestore-server-fields.ts';
import { checkFields, documentSizeBytes } from './firestore-server-limits.ts';
import type { Consistency, Document, Fields, Precondition, Write, WriteResult } from './firestore-server-messages.ts';
import { microsOf, timestampOf } from './firestore-server-messages.ts';
import { compareParts, databaseNameOf, invalid, partsOf, Refusal } from './firestore-server-names.ts';

const MINUTE_MICROS = 60e6;
const HOUR_MICROS = 3600e6;
const WEEK_MICROS = 7 * 24 * HOUR_MICROS;

const DOCUMENT_LIMIT_BYTES = 1024 * 1024;
const WRITES_LIMIT = 500;

/** A document at one time; without `document` it had been deleted. */
interface Version {
  micros: number;
  document?: Document;
  /** Encoded when it is first sent. */
  encoded?: Buffer;
}

/** Everything that was ever under one name. */
export interface Entry {
  name: string;
  parts: string[];
  /** Oldest first. */
  versions: Version[];
}

export class FirestoreDatabase {
  /** `projects/P/databases/D` */
  readonly name: string;
  /** When point-in-time recovery was enabled; undefined where it is not. */
  recoveryEnabledMicros: number | undefined;
  /** What was charged for. */
  reads = 0;
  writes = 0;
  deletes = 0;

  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  #sorted: Entry[] = [];
  #unsorted: Entry[] = [];
  #lastCommitMicros = 0;

  constructor(name: string, nowMicros: () => number) {
    this.name = name;
    this.#now = nowMicros;
  }

  get nowMicros(): number {
    return Math.max(this.#now(), this.#lastCommitMicros);
  }

  /** Of every name there ever was, in the order of names. */
  get entries(): readonly Entry[] {
    if (this.#unsorted.length > 0) {
      const added = this.#unsorted.sort((one, other) => compareParts(one.parts, other.parts));
      this.#unsorted = [];
      this.#sorted = merge(this.#sorted, added);
    }
    return this.#sorted;
  }

  /**
   * The time to read at, in microseconds.
   * @throws Refusal of a time that is too old, in the future, or finer than what is kept of it
   */
  readMicros({ readTime, transaction, newTransaction }: Consistency): number {
    if (transaction?.length || newTransaction !== undefined) {
      throw new Refusal(status.UNIMPLEMENTED, 'transactions are not part of this server');
    }
    const nowMicros = this.nowMicros;
    if (readTime === undefined) return nowMicros;
    if ((readTime.nanos ?? 0) % 1000 !== 0) throw invalid('read_time must be a microsecond precision timestamp.');
    const micros = microsOf(readTime);
    if (micros > nowMicros) throw invalid('The requested read_time is in the future.');
    if (micros >= nowMicros - HOUR_MICROS) return micros;
    const isWholeMinute = micros % MINUTE_MICROS === 0;
    if (!isWholeMinute || micros < this.earliestVersionMicros) {
      throw new Refusal(status.FAILED_PRECONDITION, 'The requested snapshot version is too old.');
    }
    return micros;
  }

  /** The earliest time that can be read. */
  get earliestVersionMicros(): number {
    const hourAgo = this.nowMicros - HOUR_MICROS;
    if (this.recoveryEnabledMicros === undefined) return hourAgo;
    return Math.min(hourAgo, Math.max(this.recoveryEnabledMicros - HOUR_MICROS, this.nowMicros - WEEK_MICROS));
  }

  /** The document of that name as it was then. */
  at(name: string, micros: number): Document | undefined {
    const entry = this.#entries.get(name);
    return entry && versionAt(entry, micros)?.document;
  }

  /** All writes or none, at one time. @throws Refusal */
  commit(writes: readonly Write[]): { commitMicros: number; results: WriteResult[] } {
    if (writes.length > WRITES_LIMIT) throw invalid(`maximum ${WRITES_LIMIT} writes allowed per request`);
    const commitMicros = this.#nextCommit();
    const pending = new Map<string, Document | undefined>();
    const results = writes.map((write) => this.#apply(write, pending, commitMicros));
    for (const [name, document] of pending) this.#put(name, document, commitMicros);
    this.#charge(writes);
    return { commitMicros, results };
  }

  /** Each write on its own. No name may be written twice. */
  batchWrite(writes: readonly Write[]): { result: WriteResult; refusal?: Refusal }[] {
    if (writes.length > WRITES_LIMIT) throw invalid(`maximum ${WRITES_LIMIT} writes allowed per request`);
    const names = new Set(writes.map(nameOf));
    if (names.size !== writes.length)
      throw invalid('A document cannot be written to more than once within the same batch.');
    return writes.map((write) => {
      try {
        return { result: this.commit([write]).results[0]! };
      } catch (error) {
        if (error instanceof Refusal) return { result: {}, refusal: error };
        throw error;
      }
    });
  }

  #apply(write: Write, pending: Map<string, Document | undefined>, commitMicros: number): WriteResult {
    const name = nameOf(write);
    if (databaseNameOf(name) !== this.name) throw invalid(`Document "${name}" is not of the database "${this.name}".`);
    if (partsOf(name).length === 0) throw invalid(`"${name}" is no document.`);
    const found = pending.has(name) ? pending.get(name) : this.at(name, commitMicros);
    checkPrecondition(write.currentDocument, found, name);
    if (write.delete !== undefined) {
      pending.set(name, undefined);
      return {};
    }
    const given: Fields = write.update?.fields ?? {};
    const fields = write.transform
      ? { ...found?.fields }
      : write.updateMask
        ? masked(found?.fields ?? {}, given, write.updateMask.fieldPaths ?? [])
        : given;
    checkFields(fields);
    const transforms = write.transform?.fieldTransforms ?? write.updateTransforms ?? [];
    const transformed = applyTransforms(fields, transforms, timestampOf(Math.floor(commitMicros / 1000) * 1000));
    const time = timestampOf(commitMicros);
    const document: Document = {
      name,
      fields: transformed.fields,
      createTime: found?.createTime ?? time,
      updateTime: time,
    };
    const sizeBytes = documentSizeBytes(document);
    if (sizeBytes > DOCUMENT_LIMIT_BYTES) {
      throw invalid(
        `Document '${name}' cannot be written because its size (${sizeBytes.toLocaleString('en')} bytes) exceeds the maximum allowed size of ${DOCUMENT_LIMIT_BYTES.toLocaleString('en')} bytes.`,
      );
    }
    pending.set(name, document);
    return {
      updateTime: time,
      ...(transformed.results.length > 0 && { transformResults: transformed.results }),
    };
  }

  #put(name: string, document: Document | undefined, micros: number): void {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      if (document === undefined) return;
      entry = { name, parts: partsOf(name), versions: [] };
      this.#entries.set(name, entry);
      this.#unsorted.push(entry);
    }
    entry.versions.push(document === undefined ? { micros } : { micros, document });
  }

  #nextCommit(): number {
    this.#lastCommitMicros = Math.max(this.#now(), this.#lastCommitMicros + 1);
    return this.#lastCommitMicros;
  }

  #charge(writes: readonly Write[]): void {
    for (const write of writes) {
      if (write.delete === undefined) this.writes++;
      else this.deletes++;
    }
  }
}

export function versionAt({ versions }: Entry, micros: number): Version | undefined {
  for (let index = versions.length - 1; index >= 0; index--) {
    if (versions[index]!.micros <= micros) return versions[index];
  }
  return undefined;
}

function nameOf({ update, delete: deleted, transform }: Write): string {
  const name = update?.name ?? deleted ?? transform?.document;
  if (name === undefined) throw invalid('A write must have an operation.');
  return name;
}

function checkPrecondition(wanted: Precondition | undefined, found: Document | undefined, name: string): void {
  if (wanted?.exists === true && found === undefined) {
    throw new Refusal(status.NOT_FOUND, `No document to update: ${name}`);
  }
  if (wanted?.exists === false && found !== undefined) {
    throw new Refusal(status.ALREADY_EXISTS, `Document already exists: ${name}`);
  }
  if (wanted?.updateTime === undefined) return;
  if (found === undefined) throw new Refusal(status.NOT_FOUND, `No document to update: ${name}`);
  const [foundMicros, wantedMicros] = [microsOf(found.updateTime!), microsOf(wanted.updateTime)];
  if (foundMicros === wantedMicros) return;
  const message = `the stored version (${foundMicros}) does not match the required base version (${wantedMicros})`;
  throw new Refusal(status.FAILED_PRECONDITION, message);
}

function merge(one: Entry[], other: Entry[]): Entry[] {
  const merged: Entry[] = [];
  let index = 0;
  for (const entry of other) {
    while (index < one.length && compareParts(one[index]!.parts, entry.parts) < 0) merged.push(one[index++]!);
    merged.push(entry);
  }
  while (index < one.length) merged.push(one[index++]!);
  return merged;
}
