import { HoldfastError } from '../../../foundation/errors.ts';

/**
 * The messages inside a streaming copy of the log.
 * Source: PostgreSQL's documentation, "Streaming Replication Protocol", START_REPLICATION.
 */
export type WalMessage =
  /** XLogData. `serverLsn`: as far as the server's own log goes. */
  | { kind: 'data'; start: bigint; serverLsn: bigint; serverMs: number; bytes: Buffer }
  /** Primary keepalive. `serverLsn`: as far as it has sent. */
  | { kind: 'keepalive'; serverLsn: bigint; serverMs: number; wantsReply: boolean };

const [XLOG_DATA, KEEPALIVE, STATUS_UPDATE] = [0x77, 0x6b, 0x72];
const DATA_HEADER_BYTES = 25;
const KEEPALIVE_BYTES = 18;
const STATUS_BYTES = 34;
/** 2000-01-01, in milliseconds since 1970: the server counts microseconds from there. */
const POSTGRES_EPOCH_MS = 946_684_800_000;

/** @param chunk of pg's parser, which uses it again: the bytes are copied. @throws source-unsupported */
export function readWalMessage(chunk: Buffer): WalMessage {
  const kind = chunk[0];
  if (kind === XLOG_DATA && chunk.length >= DATA_HEADER_BYTES) {
    return {
      kind: 'data',
      start: chunk.readBigUInt64BE(1),
      serverLsn: chunk.readBigUInt64BE(9),
      serverMs: readTime(chunk, 17),
      bytes: Buffer.from(chunk.subarray(DATA_HEADER_BYTES)),
    };
  }
  if (kind === KEEPALIVE && chunk.length === KEEPALIVE_BYTES) {
    return {
      kind: 'keepalive',
      serverLsn: chunk.readBigUInt64BE(1),
      serverMs: readTime(chunk, 9),
      wantsReply: chunk[17] !== 0,
    };
  }
  throw new HoldfastError('source-unsupported', 'the server sent a kind of message that this version does not know');
}

/**
 * Standby status update. What is written and what is flushed are the same to us, so that a server which waits for either
 * waits for what is durable; nothing is ever applied.
 * @param durable what comes before it is durable
 */
export function statusUpdate({ durable, nowMs }: { durable: bigint; nowMs: number }): Buffer {
  const message = Buffer.alloc(STATUS_BYTES);
  message[0] = STATUS_UPDATE;
  message.writeBigUInt64BE(durable, 1);
  message.writeBigUInt64BE(durable, 9);
  message.writeBigInt64BE(BigInt(Math.round((nowMs - POSTGRES_EPOCH_MS) * 1000)), 25);
  // The answer tells the server's time, and that it is still there.
  message[33] = 1;
  return message;
}

function readTime(chunk: Buffer, offset: number): number {
  return POSTGRES_EPOCH_MS + Number(chunk.readBigInt64BE(offset)) / 1000;
}
