import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../foundation/clock.ts';
import { makeDirectories } from '../../foundation/directories.ts';
import { systemCode } from '../../foundation/errors.ts';
import { DecoratedStore, type ObjectStore, type StoreCapabilities } from '../index.ts';
import { probe } from './probe.ts';

export interface ProbeSettings {
  clock: Clock;
  /** Where what was found is written down, so that it is not tried again in every run; absolute. */
  recordFile: string | undefined;
}

/** A bucket's settings may change, and with them what it honours. */
const KNOWN_FOR_MS = 24 * 60 * 60_000;

interface Record {
  version: 1;
  probedMs: number;
  capabilities: StoreCapabilities;
}

/** A store of whose claims only those are passed on that a probe has confirmed, when they are first asked for. */
export class ProbedStore extends DecoratedStore {
  readonly #settings: ProbeSettings;
  #known: Promise<StoreCapabilities> | undefined;

  constructor(inner: ObjectStore, settings: ProbeSettings) {
    super(inner);
    this.#settings = settings;
  }

  override capabilities(): Promise<StoreCapabilities> {
    this.#known ??= this.#find().catch((error: unknown) => {
      this.#known = undefined;
      throw error;
    });
    return this.#known;
  }

  async #find(): Promise<StoreCapabilities> {
    const { clock, recordFile } = this.#settings;
    const recorded = recordFile === undefined ? undefined : await readRecord(recordFile, clock.nowMs());
    if (recorded !== undefined) return recorded.capabilities;
    const capabilities = await probe(this.inner);
    if (recordFile !== undefined) await writeRecord(recordFile, { version: 1, probedMs: clock.nowMs(), capabilities });
    return capabilities;
  }
}

/** What was found, unless that was too long ago, or cannot be read: then it is found out again. */
async function readRecord(file: string, nowMs: number): Promise<Record | undefined> {
  try {
    const { version, probedMs, capabilities } = JSON.parse(await readFile(file, 'utf8')) as Record;
    const { conditionalPut, consistentListing } = capabilities;
    const isWhole = version === 1 && typeof conditionalPut === 'boolean' && typeof consistentListing === 'boolean';
    const ageMs = nowMs - probedMs;
    return isWhole && ageMs >= 0 && ageMs < KNOWN_FOR_MS ? { version, probedMs, capabilities } : undefined;
  } catch (error) {
    if (systemCode(error) !== undefined || error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Where it cannot be written, the next run finds it out again. */
async function writeRecord(file: string, record: Record): Promise<void> {
  const fresh = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    await makeDirectories(dirname(file), 0o700);
    await writeFile(fresh, JSON.stringify(record), { mode: 0o600 });
    await rename(fresh, file);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}
