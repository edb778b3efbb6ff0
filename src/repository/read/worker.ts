import { parentPort, workerData } from 'node:worker_threads';
import type { SealingKey } from '../../format/index.ts';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { isHoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { type Inspection, inspectPack } from '../check/inspect-pack.ts';
import type { FileProblem } from '../extract/file-writer.ts';
import { Filler, type SharedFilling } from '../extract/filler.ts';
import { openBlob } from '../indexed.ts';

/** A thread that opens sealed blobs, and either gives them back or writes them where they belong. */

export type Job =
  | { kind: 'open'; pack: string; sealed: Uint8Array; blob: { id: string; uncompressedLength: number | undefined } }
  | { kind: 'inspect'; pack: string; sealed: Uint8Array }
  | { kind: 'begin-fill'; filling: SharedFilling }
  | { kind: 'fill-all' }
  | { kind: 'fill'; number: number; sealed: Uint8Array }
  | { kind: 'end-fill' };

export type Done =
  | { kind: 'opened'; plain: Uint8Array }
  | { kind: 'inspected'; inspection: Inspection }
  /** Ranges that this thread could not read by itself, and what it could not set on files. */
  | { kind: 'filled'; unread: number[]; problems: FileProblem[] };

export interface Failed {
  kind: 'failed';
  blob: string | undefined;
  code: string | undefined;
  message: string;
  system: string | undefined;
}

const raw = workerData as { encrypt: Uint8Array; macK: Uint8Array; macR: Uint8Array };
const key: SealingKey = { encrypt: Buffer.from(raw.encrypt), macK: Buffer.from(raw.macK), macR: Buffer.from(raw.macR) };
let filler: Filler | undefined;

parentPort!.on('message', (message: { number: number; job: Job } | 'end') => {
  if (message === 'end') {
    parentPort!.close();
    return;
  }
  const { number, job } = message;
  let answer: Done | Failed;
  try {
    answer = run(job);
  } catch (error) {
    answer = {
      kind: 'failed',
      blob: filler?.present,
      code: isHoldfastError(error) ? error.code : undefined,
      message: messageOf(error),
      system: systemCode(error),
    };
  }
  if ('sealed' in job) releaseBuffer(job.sealed);
  parentPort!.postMessage({ number, answer }, answer.kind === 'opened' ? [answer.plain.buffer as ArrayBuffer] : []);
});

function run(job: Job): Done {
  switch (job.kind) {
    case 'open':
      return { kind: 'opened', plain: ownCopy(openBlob(key, job.sealed, job.blob, job.pack)) };
    case 'inspect':
      return { kind: 'inspected', inspection: inspectPack(key, job.pack, job.sealed) };
    case 'begin-fill':
      filler = new Filler(key, job.filling);
      return filled();
    case 'fill-all':
      return filled({ unread: filler!.fillAll() });
    case 'fill':
      filler!.fill(job.number, job.sealed);
      return filled();
    case 'end-fill': {
      filler?.end();
      const problems = filler?.problems ?? [];
      filler = undefined;
      return filled({ problems });
    }
  }
}

function filled({ unread = [], problems = [] }: Partial<Extract<Done, { kind: 'filled' }>> = {}): Done {
  return { kind: 'filled', unread, problems };
}

/** A buffer that may be transferred: small ones share their memory with others. */
function ownCopy(plain: Buffer): Uint8Array {
  return plain.byteOffset === 0 && plain.byteLength === plain.buffer.byteLength ? plain : new Uint8Array(plain);
}
