import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { BlobType, SealingKey } from '../../format/index.ts';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { isHoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { type Inspection, inspectPack } from '../check/inspect-pack.ts';
import { type RecodedBlob, type RecodeTarget, recodeBlob } from '../copy/recode.ts';
import { openBlob } from '../indexed.ts';

/** A thread that opens sealed blobs, and either gives them back or writes them where they belong. */

export interface SealedBlob {
  id: string;
  /** Where the sealed blob begins in the job's bytes. */
  start: number;
  length: number;
  uncompressedLength: number | undefined;
  /** Open files, and positions in them, that the plain bytes are written to. */
  destinations: { descriptor: number; position: number }[];
}

export type Job = { number: number; pack: string; sealed: Uint8Array } & (
  | { kind: 'open'; blobs: SealedBlob[] }
  | { kind: 'write'; blobs: SealedBlob[] }
  | { kind: 'recode'; blobs: (Omit<SealedBlob, 'destinations'> & { type: BlobType })[]; target: RecodeTarget }
  | { kind: 'inspect' }
);

export type Answer = { number: number } & (
  | { kind: 'opened'; plains: Uint8Array[] }
  | { kind: 'written'; bytes: number }
  | { kind: 'recoded'; blobs: RecodedBlob[] }
  | { kind: 'inspected'; inspection: Inspection }
  | { kind: 'failed'; blob: string | undefined; code: string | undefined; message: string; system: string | undefined }
);

const key = receivedKey(workerData as SealingKey);

parentPort!.on('message', (job: Job) => {
  let present: string | undefined;
  try {
    if (job.kind === 'inspect') {
      post({ kind: 'inspected', number: job.number, inspection: inspectPack(key, job.pack, job.sealed) });
      return;
    }
    if (job.kind === 'recode') {
      post({ kind: 'recoded', number: job.number, blobs: job.blobs.map((blob) => recode(job, blob)) });
      return;
    }
    const plains: Uint8Array[] = [];
    let bytes = 0;
    for (const blob of job.blobs) {
      present = blob.id;
      const plain = openBlob(key, job.sealed.subarray(blob.start, blob.start + blob.length), blob, job.pack);
      if (job.kind === 'open') plains.push(ownCopy(plain));
      else {
        bytes += writeTo(plain, blob.destinations);
        releaseBuffer(plain);
      }
    }
    post(
      job.kind === 'open'
        ? { kind: 'opened', number: job.number, plains }
        : { kind: 'written', number: job.number, bytes },
    );
  } catch (error) {
    const code = isHoldfastError(error) ? error.code : undefined;
    post({
      kind: 'failed',
      number: job.number,
      blob: present,
      code,
      message: messageOf(error),
      system: systemCode(error),
    });
  } finally {
    releaseBuffer(job.sealed);
  }
});

function post(answer: Answer): void {
  const bulk =
    answer.kind === 'opened'
      ? answer.plains
      : answer.kind === 'recoded'
        ? answer.blobs.map(({ sealed }) => sealed)
        : [];
  parentPort!.postMessage(
    answer,
    bulk.map(({ buffer }) => buffer as ArrayBuffer),
  );
}

/** A key as it comes in a message: its buffers have become plain arrays. */
function receivedKey({ encrypt, macK, macR }: SealingKey): SealingKey {
  return { encrypt: Buffer.from(encrypt), macK: Buffer.from(macK), macR: Buffer.from(macR) };
}

type RecodeJob = Extract<Job, { kind: 'recode' }>;

function recode(
  { pack, sealed, target }: RecodeJob,
  { start, length, ...blob }: RecodeJob['blobs'][number],
): RecodedBlob {
  const part = sealed.subarray(start, start + length);
  const to = { ...target, key: receivedKey(target.key) };
  const recoded = recodeBlob(key, to, { ...blob, sealed: part, pack });
  return { ...recoded, sealed: ownCopy(recoded.sealed) };
}

/** A buffer that may be transferred: small ones share their memory with others. */
function ownCopy(plain: Uint8Array): Uint8Array {
  return plain.byteOffset === 0 && plain.byteLength === plain.buffer.byteLength ? plain : new Uint8Array(plain);
}

function writeTo(plain: Buffer, destinations: SealedBlob['destinations']): number {
  // A file has its full length already: where it should hold zeros it does, and takes no space there.
  if (isZero(plain)) return plain.length * destinations.length;
  for (const { descriptor, position } of destinations) {
    for (let done = 0; done < plain.length; ) {
      done += writeSync(descriptor, plain, done, plain.length - done, position + done);
    }
  }
  return plain.length * destinations.length;
}

const ZEROS = Buffer.alloc(64 * 1024);

function isZero(plain: Buffer): boolean {
  for (let at = 0; at < plain.length; at += ZEROS.length) {
    const end = Math.min(at + ZEROS.length, plain.length);
    if (plain.compare(ZEROS, 0, end - at, at, end) !== 0) return false;
  }
  return true;
}
