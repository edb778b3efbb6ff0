import { closeSync, constants, fdatasync, openSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { awaitedLater, settled, sideBySide } from '../../foundation/promises.ts';
import type { FileTable } from './file-table.ts';

/** So much of a file is worth syncing while more of it comes. */
const BYTES_WORTH_SYNCING = 8 << 20;
/** So little once no more comes. */
const LAST_BYTES_WORTH_SYNCING = 1 << 20;
const LOOKS_EVERY_MS = 20;
/** More would wait for the same disk. */
const SYNCED_AT_ONCE = 2;

/** Files that are worth syncing, as the threads that write to them tell it. */
export interface SharedToSync {
  /** Their numbers and one, in the order of being told; 0 where none is yet. */
  told: Int32Array;
  /** One cell: how many were told. */
  count: Int32Array;
}

/** Room for all that can be told: each file at its end, and again for each part of it. */
export function shareToSync(files: Pick<FileTable, 'count' | 'sizeBytes'>): SharedToSync {
  let room = 0;
  for (let file = 0; file < files.count; file++) room += 1 + Math.floor(files.sizeBytes(file) / BYTES_WORTH_SYNCING);
  return {
    told: new Int32Array(new SharedArrayBuffer(room * 4)),
    count: new Int32Array(new SharedArrayBuffer(4)),
  };
}

/** What one thread tells of the files that it writes to. */
export class SyncTeller {
  readonly #shared: SharedToSync;
  /** Bytes by file that nothing was told of. */
  readonly #untold = new Map<number, number>();

  constructor(shared: SharedToSync) {
    this.#shared = shared;
  }

  written(file: number, sizeBytes: number): void {
    const untoldBytes = (this.#untold.get(file) ?? 0) + sizeBytes;
    if (untoldBytes < BYTES_WORTH_SYNCING) this.#untold.set(file, untoldBytes);
    else this.#tell(file);
  }

  finished(file: number): void {
    if ((this.#untold.get(file) ?? 0) < LAST_BYTES_WORTH_SYNCING) this.#untold.delete(file);
    else this.#tell(file);
  }

  #tell(file: number): void {
    this.#untold.delete(file);
    const { told, count } = this.#shared;
    const at = Atomics.add(count, 0, 1);
    // A file that is filled a second time may find no room: it is synced later.
    if (at < told.length) Atomics.store(told, at, file + 1);
  }
}

/**
 * Syncs what is told of while more is written, beside the threads that do it, so that whoever syncs all files in the end has
 * little left to wait for. A failure is thrown by what ends it: the system may tell of it only once.
 * @returns what ends it, once nothing is synced any more. @throws the system's error
 */
export function syncAlong(
  files: Pick<FileTable, 'path'>,
  { told }: SharedToSync,
  sync = syncData,
): () => Promise<void> {
  const over = new AbortController();
  let taken = 0;
  const takeTold = (): number[] => {
    const first = taken;
    while (taken < told.length && Atomics.load(told, taken) !== 0) taken++;
    return [...new Set(told.subarray(first, taken))].map((number) => number - 1);
  };
  const syncAll = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const numbers = takeTold();
      if (numbers.length === 0) await settled(setTimeout(LOOKS_EVERY_MS, undefined, over));
      await sideBySide(numbers, SYNCED_AT_ONCE, async (file) => {
        if (!over.signal.aborted) await sync(files.path(file));
      });
    }
  };
  const syncing = awaitedLater(syncAll());
  return async () => {
    over.abort();
    await syncing;
  };
}

async function syncData(path: Buffer): Promise<void> {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    await promisify(fdatasync)(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
