import { hash } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import type { BlobType, IndexColumns, SealingKey } from '../../format/index.ts';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { isHoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { BlobEntries, type SharedBlobEntries } from '../blob-table.ts';
import { type Inspection, inspectPack } from '../check/inspect-pack.ts';
import { type RecodedBlob, Recoder, type RecodeTarget } from '../copy/recode.ts';
import type { FileProblem } from '../extract/file-writer.ts';
import { Filler, type SharedFilling, type UnreadRange } from '../extract/filler.ts';
import { findRightPlaces, type PlacesOfFile } from '../extract/right-places.ts';
import { BlobOpener } from './blob-opener.ts';
import { IndexScanner } from './index-scanner.ts';

/** A thread that opens sealed blobs, and either gives them back or writes them where they belong. */

/** A blob in the bytes that are handed over. */
interface PlacedBlob {
  id: string;
  type: BlobType;
  start: number;
  length: number;
  uncompressedLength: number | undefined;
}

/** In hex. */
export type DigestAlgorithm = 'sha256' | 'md5';

export type Job =
  | { kind: 'open'; pack: string; sealed: Uint8Array; blob: { id: string; uncompressedLength: number | undefined } }
  | { kind: 'recode'; pack: string; sealed: Uint8Array; blobs: PlacedBlob[]; target: RecodeTarget }
  | { kind: 'inspect'; pack: string; sealed: Uint8Array; wantsBlobs: boolean }
  | { kind: 'digest'; bytes: Uint8Array; algorithm: DigestAlgorithm }
  | { kind: 'place'; name: string; sealed: Uint8Array; entries: SharedBlobEntries }
  | { kind: 'compare'; files: readonly PlacesOfFile[] }
  | { kind: 'begin-fill'; filling: SharedFilling }
  | { kind: 'fill-all' }
  | { kind: 'fill'; range: UnreadRange; sealed: Uint8Array }
  | { kind: 'end-fill' };

export type Done =
  | { kind: 'opened'; plain: Uint8Array }
  | { kind: 'recoded'; blobs: RecodedBlob[] }
  | { kind: 'inspected'; inspection: Inspection }
  | { kind: 'digested'; digest: string }
  | { kind: 'placed'; placed: IndexColumns['packs'] | undefined }
  | { kind: 'compared'; right: Uint8Array[] }
  /** Ranges that this thread could not read by itself, and what it could not set on files. */
  | { kind: 'filled'; unread: UnreadRange[]; problems: FileProblem[] };

export interface Failed {
  kind: 'failed';
  blob: string | undefined;
  code: string | undefined;
  message: string;
  system: string | undefined;
}

/** Does one job after the other until there are no more. A thread that failed at something unforeseen is no longer used. */
export function work(key: SealingKey, port: MessagePort): Promise<boolean> {
  const jobs = new Jobs(receivedKey(key));
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let isGood = true;
  port.on('message', (message: { number: number; job: Job } | 'end') => {
    if (message === 'end') return resolve(isGood);
    const { number, job } = message;
    let answer: Done | Failed;
    try {
      answer = jobs.run(job);
    } catch (error) {
      isGood &&= isHoldfastError(error);
      answer = {
        kind: 'failed',
        blob: jobs.presentBlob,
        code: isHoldfastError(error) ? error.code : undefined,
        message: messageOf(error),
        system: systemCode(error),
      };
    }
    if ('sealed' in job) releaseBuffer(job.sealed);
    port.postMessage({ number, answer }, bulkOf(answer));
  });
  return promise;
}

/** What one pool's jobs share in a thread. */
class Jobs {
  readonly #key: SealingKey;
  #filler: Filler | undefined;
  #opener: BlobOpener | undefined;
  #scanner: IndexScanner | undefined;
  /** For the one repository that this thread's pool recodes for. */
  #recoder: Recoder | undefined;

  constructor(key: SealingKey) {
    this.#key = key;
  }

  /** The blob that a restore is at. */
  get presentBlob(): string | undefined {
    return this.#filler?.present;
  }

  run(job: Job): Done {
    switch (job.kind) {
      case 'open':
        return { kind: 'opened', plain: new Uint8Array(this.#open(job)) };
      case 'recode':
        return { kind: 'recoded', blobs: job.blobs.map((blob) => this.#recode(job, blob)) };
      case 'inspect': {
        const { pack, sealed: bytes, wantsBlobs } = job;
        this.#opener ??= new BlobOpener(this.#key);
        return { kind: 'inspected', inspection: inspectPack(this.#opener, this.#key, { pack, bytes, wantsBlobs }) };
      }
      case 'digest':
        return { kind: 'digested', digest: hash(job.algorithm, job.bytes) };
      case 'place': {
        const entries = BlobEntries.attach(job.entries);
        this.#scanner ??= new IndexScanner(new BlobOpener(this.#key));
        return { kind: 'placed', placed: entries.put(this.#scanner.scan(job.name, job.sealed)) };
      }
      case 'compare':
        return { kind: 'compared', right: findRightPlaces(job.files) };
      case 'begin-fill':
        this.#filler = new Filler(this.#key, job.filling);
        return filled();
      case 'fill-all':
        return filled({ unread: this.#filler!.fillAll() });
      case 'fill': {
        const unread: UnreadRange[] = [];
        this.#filler!.fillUndamaged(job.range, job.sealed, unread);
        return filled({ unread });
      }
      case 'end-fill': {
        this.#filler?.end();
        const problems = this.#filler?.problems ?? [];
        this.#filler = undefined;
        return filled({ problems });
      }
    }
  }

  /** Valid until the next job. */
  #open({ pack, sealed, blob: { id, uncompressedLength = 0 } }: Extract<Job, { kind: 'open' }>): Uint8Array {
    this.#opener ??= new BlobOpener(this.#key);
    return this.#opener.open(sealed, { id: Buffer.from(id, 'hex'), uncompressedLength, pack });
  }

  #recode(
    { pack, sealed, target }: Extract<Job, { kind: 'recode' }>,
    { start, length, ...blob }: PlacedBlob,
  ): RecodedBlob {
    this.#recoder ??= new Recoder(this.#key, { ...target, key: receivedKey(target.key) });
    return this.#recoder.recode({ ...blob, sealed: sealed.subarray(start, start + length), pack });
  }
}

function filled({ unread = [], problems = [] }: Partial<Extract<Done, { kind: 'filled' }>> = {}): Done {
  return { kind: 'filled', unread, problems };
}

function bulkOf(answer: Done | Failed): ArrayBuffer[] {
  if (answer.kind === 'opened') return [answer.plain.buffer as ArrayBuffer];
  return answer.kind === 'recoded' ? answer.blobs.map(({ sealed }) => sealed.buffer as ArrayBuffer) : [];
}

/** A key as it comes in a message: its buffers have become plain arrays. */
function receivedKey({ encrypt, macK, macR }: SealingKey): SealingKey {
  return { encrypt: Buffer.from(encrypt), macK: Buffer.from(macK), macR: Buffer.from(macR) };
}
