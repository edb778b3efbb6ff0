import { createHash } from 'node:crypto';
import { HoldfastError } from '../../foundation/errors.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import { type ItemCount, readManifest } from '../index.ts';
import type { RdbSummary } from './rdb/reader.ts';
import type { TypeCount } from './rdb/tally.ts';

/** What a manifest says of a Redis or Valkey server. */
export interface RedisDetails {
  format: 'rdb';
  server: 'Redis' | 'Valkey';
  serverVersion: string;
  method: 'replication' | 'scan';
  /** Of everything at one moment: where in the replication stream that was. */
  replicationId?: string;
  offset?: string;
  /** The database that the stream's next command is for, where it does not say; left out where the server did not. */
  streamDatabase?: number;
  rdbVersion: number;
  isValkeyRdb: boolean;
  /** The RDB's own, 16 hexadecimal digits; left out where the server writes none. */
  checksum?: string;
  /** Names the blobs of the file that was verified, and so all of its bytes. */
  content: string;
  /** The version of what verified it. */
  verifier: number;
  sizeBytes: number;
  keys: number;
  expiring: number;
  counts: TypeCount[];
  functions: number;
  moduleFacts: number;
  /** What a person should know of this backup. */
  notes: string[];
}

/** Grows when the reader of RDBs refuses more than before. */
export const VERIFIER = 1;
export const RDB_NAME = 'dump.rdb';

/** What the manifest says of an RDB that was read. */
export function detailsOf(summary: RdbSummary, content: readonly string[]) {
  const { checksum, sizeBytes, keys, expiring, counts, functions, moduleFacts } = summary;
  return {
    format: 'rdb' as const,
    rdbVersion: summary.version,
    isValkeyRdb: summary.isValkey,
    ...(checksum !== undefined && { checksum }),
    content: digestOfContent(content),
    verifier: VERIFIER,
    ...{ sizeBytes, keys, expiring, counts, functions, moduleFacts },
  };
}

/** A name for a file's bytes: its blobs are named by what is in them. */
export function digestOfContent(content: readonly string[]): string {
  return createHash('sha256').update(content.join('\n')).digest('hex');
}

/** @throws repository-damaged where the manifest is of something else */
export async function readDetails(reader: SnapshotReader): Promise<RedisDetails> {
  const { details } = await readManifest(reader);
  if (details['format'] === 'rdb') return details as unknown as RedisDetails;
  throw new HoldfastError('repository-damaged', `snapshot ${reader.id.slice(0, 8)} does not say that it holds an RDB`, {
    hint: 'It is of another type of source.',
  });
}

/** How many keys a snapshot has in each database (`db0`), and there of each type (`db0 hash`). */
export function itemsOf({ counts }: RedisDetails): ItemCount[] {
  const databases = Map.groupBy(counts, ({ database }) => `db${database}`);
  return [...databases].flatMap(([within, types]) => [
    { item: within, count: types.reduce((sum, { keys }) => sum + keys, 0), unit: 'keys' },
    ...types.map(({ type, keys }) => ({ item: `${within} ${type}`, count: keys, unit: 'keys', within })),
  ]);
}
