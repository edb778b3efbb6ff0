import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { SealingKey } from '../../format/index.ts';
import { messageOf, systemCode } from '../../foundation/errors.ts';
import { BlobTable, type SharedBlobTable } from '../blob-table.ts';
import { ClaimTable, type SharedClaimTable } from './claim-table.ts';
import type { FileBatch, StoredBatch } from './file-batch.ts';
import { FileReader } from './file-reader.ts';
import type { FinishedPack } from './pack-file.ts';
import { type FilePart, PartReader, type StoredPart } from './part-reader.ts';
import { Sealer } from './sealer.ts';
import { StagingLimit } from './staging-limit.ts';
import { type SharedTickets, type Ticket, Tickets } from './tickets.ts';

/** A thread of the writing pipeline: takes tickets, parts of files and batches of files until there are no more, then finishes its packs. */

export interface WorkerInput {
  /** Its number among the workers, from 0 on. */
  worker: number;
  gear: Int32Array;
  key: { encrypt: Uint8Array; macK: Uint8Array; macR: Uint8Array };
  slabs: SharedArrayBuffer;
  tickets: SharedTickets;
  table: SharedBlobTable;
  claims: SharedClaimTable;
  formatVersion: 1 | 2;
  stagingDirectory: string;
  stagingPrefix: string;
  packSizeBytes: number;
  wantsMd5: boolean;
  staged: SharedArrayBuffer;
}

export type WorkerMessage =
  | { kind: 'pack'; pack: FinishedPack }
  | { kind: 'part'; part: StoredPart }
  | { kind: 'batch'; batch: StoredBatch }
  | { kind: 'failed'; message: string; code: string | undefined };

function post(port: MessagePort, message: WorkerMessage): void {
  const { ids, fields } = message.kind === 'pack' ? message.pack.listing : { ids: undefined, fields: undefined };
  port.postMessage(message, ids && fields ? [ids.buffer, fields.buffer] : []);
}

/** A thread that did not come to its end is no longer used. */
export function work(input: WorkerInput, port: MessagePort): boolean {
  const key: SealingKey = {
    encrypt: Buffer.from(input.key.encrypt),
    macK: Buffer.from(input.key.macK),
    macR: Buffer.from(input.key.macR),
  };
  const slabs = new Uint8Array(input.slabs);
  const tickets = new Tickets(input.tickets);
  const { formatVersion, stagingDirectory, stagingPrefix, packSizeBytes, wantsMd5 } = input;
  const staged = new StagingLimit(packSizeBytes, input.staged);
  const sealer = new Sealer({
    key,
    table: BlobTable.attach(input.table),
    claims: ClaimTable.attach(input.claims),
    formatVersion,
    stagingDirectory,
    stagingPrefix,
    packSizeBytes,
    wantsMd5,
    onPack: (pack) => {
      staged.add(pack.sizeBytes);
      post(port, { kind: 'pack', pack });
      staged.wait();
    },
  });
  const seal = ({ number, offset, length, type }: Ticket): void => {
    const plain = slabs.subarray(offset, offset + length);
    const { id, fresh, storedBytes } = sealer.store(type === 1 ? 'tree' : 'data', plain);
    tickets.finish(number, id, fresh, storedBytes);
  };
  let parts: PartReader | undefined;
  let files: FileReader | undefined;
  const between = (): boolean => {
    // Nobody else may have time for what the main thread reads meanwhile.
    for (let ticket = tickets.takeIfThere(); ticket !== undefined; ticket = tickets.takeIfThere()) seal(ticket);
    return !tickets.isGivenUp;
  };
  const readPart = (): void => {
    parts ??= new PartReader(sealer, input.gear);
    const received = receivedPart(port);
    if ('paths' in received) {
      files ??= new FileReader(parts);
      post(port, { kind: 'batch', batch: files.store(received, between) });
    } else post(port, { kind: 'part', part: parts.store(received, between) });
  };
  let partsDone = 0;
  try {
    for (;;) {
      const next = tickets.take(input.worker, partsDone);
      if (next === undefined) break;
      if (next !== 'part') seal(next);
      else {
        readPart();
        partsDone++;
      }
    }
    if (tickets.isGivenUp) {
      sealer.discard();
      return false;
    }
    sealer.finish();
    return true;
  } catch (error) {
    post(port, { kind: 'failed', message: messageOf(error), code: systemCode(error) });
    return false;
  }
}

/** It was posted before it was announced. */
function receivedPart(port: MessagePort): FilePart | FileBatch {
  return (receiveMessageOnPort(port) as { message: FilePart | FileBatch }).message;
}
