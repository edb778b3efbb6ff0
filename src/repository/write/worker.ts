import { parentPort, workerData } from 'node:worker_threads';
import type { SealingKey } from '../../format/index.ts';
import { messageOf, systemCode } from '../../foundation/errors.ts';
import { BlobTable, type SharedBlobTable } from '../blob-table.ts';
import { ClaimTable, type SharedClaimTable } from './claim-table.ts';
import type { FinishedPack } from './pack-file.ts';
import { Sealer } from './sealer.ts';
import { type SharedTickets, Tickets } from './tickets.ts';

/** A thread of the writing pipeline: takes tickets until there are no more, then finishes its packs. */

export interface WorkerInput {
  key: { encrypt: Uint8Array; macK: Uint8Array; macR: Uint8Array };
  slabs: SharedArrayBuffer;
  tickets: SharedTickets;
  table: SharedBlobTable;
  claims: SharedClaimTable;
  formatVersion: 1 | 2;
  stagingDirectory: string;
  stagingPrefix: string;
  packSizeBytes: number;
}

export type WorkerMessage =
  | { kind: 'pack'; pack: FinishedPack }
  | { kind: 'failed'; message: string; code: string | undefined }
  | { kind: 'finished' };

function post(message: WorkerMessage): void {
  const { ids, fields } = message.kind === 'pack' ? message.pack.listing : { ids: undefined, fields: undefined };
  parentPort!.postMessage(message, ids && fields ? [ids.buffer, fields.buffer] : []);
}

function run(input: WorkerInput): void {
  const key: SealingKey = {
    encrypt: Buffer.from(input.key.encrypt),
    macK: Buffer.from(input.key.macK),
    macR: Buffer.from(input.key.macR),
  };
  const slabs = new Uint8Array(input.slabs);
  const tickets = new Tickets(input.tickets);
  const { formatVersion, stagingDirectory, stagingPrefix, packSizeBytes } = input;
  const sealer = new Sealer({
    key,
    table: BlobTable.attach(input.table),
    claims: ClaimTable.attach(input.claims),
    formatVersion,
    stagingDirectory,
    stagingPrefix,
    packSizeBytes,
    onPack: (pack) => post({ kind: 'pack', pack }),
  });
  try {
    for (let ticket = tickets.take(); ticket !== undefined; ticket = tickets.take()) {
      const plain = slabs.subarray(ticket.offset, ticket.offset + ticket.length);
      const { id, fresh, storedBytes } = sealer.store(ticket.type === 1 ? 'tree' : 'data', plain);
      tickets.finish(ticket.number, id, fresh, storedBytes);
    }
    if (tickets.isGivenUp) sealer.discard();
    else sealer.finish();
    post({ kind: 'finished' });
  } catch (error) {
    post({ kind: 'failed', message: messageOf(error), code: systemCode(error) });
  }
}

run(workerData as WorkerInput);
