import { randomBytes } from 'node:crypto';
import { lstat, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectories, syncOne } from '../foundation/directories.ts';
import { HoldfastError, messageOf, systemCode } from '../foundation/errors.ts';
import { currentUser } from '../foundation/user.ts';
import type { ChainedEvents } from './chain-writer.ts';
import { chainKey, decodeEvent, parseLedgerKey, type ReadEvent } from './objects.ts';

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const SUFFIX = '.json';
const PARTIAL = '.partial';

/** Events of one chain that wait, in their order. */
export interface Waiting {
  writer: string;
  /** Each follows the one before it, but for a gap where some of them were put already. */
  events: ReadEvent[];
  /** Why what comes behind these cannot be read. */
  error?: HoldfastError;
}

/** Whether a chain was begun while its repository was away, and builds on nothing that is there. */
export function buildsOnNothing({ events: [first] }: Waiting): boolean {
  return first?.event.sequence === 0 && Object.keys(first.event.heads).length === 0;
}

/**
 * Where events wait while no repository can be reached: a directory of this user alone, a file for each event, which is
 * durable when it has its name. Any number of processes may use one.
 */
export class Journal {
  /** Absolute. */
  readonly directory: string;
  #isMade = false;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Keeps events; resolves once they are durable. @throws disk-full, permission-denied, unsafe-path, store-failed */
  async add({ writer, sequence, plains }: ChainedEvents): Promise<void> {
    await this.#attempt(async () => {
      await this.#make();
      for (const [index, plain] of plains.entries()) await this.#write(writer, sequence + index, plain);
      await syncOne(this.directory);
    });
  }

  /** What waits, chain by chain. What was being written when a process died was never acknowledged, and is none of it. */
  async waiting(): Promise<Waiting[]> {
    return this.#attempt(async () => {
      const names = (await this.#names()).flatMap((name) => placeOf(name) ?? []);
      const chains: Waiting[] = [];
      for (const [writer, own] of Map.groupBy(names, (each) => each.writer)) {
        chains.push(
          await this.#readChain(
            writer,
            own.map(({ sequence }) => sequence).sort((a, b) => a - b),
          ),
        );
      }
      return chains;
    });
  }

  /** Forgets events that are elsewhere, durably. */
  async remove(events: readonly ReadEvent[]): Promise<void> {
    if (events.length === 0) return;
    await this.#attempt(async () => {
      for (const { event } of events) await rm(this.#path(event.writer, event.sequence), { force: true });
      await syncOne(this.directory);
    });
  }

  async #readChain(writer: string, sequences: readonly number[]): Promise<Waiting> {
    const events: ReadEvent[] = [];
    for (const sequence of sequences) {
      const path = this.#path(writer, sequence);
      try {
        events.push(decodeEvent(path, await readFile(path)));
      } catch (error) {
        // Another process put it where it belongs meanwhile.
        if (systemCode(error) === 'ENOENT') continue;
        if (error instanceof HoldfastError) return { writer, events, error };
        throw error;
      }
    }
    return { writer, events };
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.directory);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      return [];
    }
  }

  async #make(): Promise<void> {
    if (this.#isMade) return;
    await makeDirectories(this.directory, DIRECTORY_MODE);
    const { uid } = currentUser();
    const found = await lstat(this.directory);
    const isOpen = (found.mode & 0o077) !== 0;
    if (!found.isDirectory() || isOpen || (uid !== undefined && found.uid !== uid)) {
      throw new HoldfastError('unsafe-path', `${this.directory} is not a directory of this user alone`, {
        hint: 'The journal of events lies there. Remove it, or give it to this user with mode 0700.',
        context: { directory: this.directory },
      });
    }
    this.#isMade = true;
  }

  async #write(writer: string, sequence: number, plain: Buffer): Promise<void> {
    const path = this.#path(writer, sequence);
    const partial = `${path}.${randomBytes(8).toString('hex')}${PARTIAL}`;
    try {
      const file = await open(partial, 'wx', FILE_MODE);
      try {
        await file.writeFile(plain);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
  }

  #path(writer: string, sequence: number): string {
    return join(this.directory, `${chainKey(writer, sequence).replace('/', '-')}${SUFFIX}`);
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined) throw error;
      const full = code === 'ENOSPC' || code === 'EDQUOT';
      const refused = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
      throw new HoldfastError(
        full ? 'disk-full' : refused ? 'permission-denied' : 'store-failed',
        `the journal of events ${this.directory} cannot be used: ${messageOf(error)}`,
        {
          hint: 'Events wait there while no repository can be reached. Make room, or see to it that it can be written.',
          cause: error,
        },
      );
    }
  }
}

function placeOf(name: string): { writer: string; sequence: number } | undefined {
  if (!name.endsWith(SUFFIX)) return undefined;
  const place = parseLedgerKey(name.slice(0, -SUFFIX.length).replace('-', '/'));
  return place?.form === 'chain' ? place : undefined;
}
