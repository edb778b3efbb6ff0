import { createServer } from 'node:net';
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { releaseBuffer } from '../../../foundation/buffers.ts';
import { parseLocation } from '../connection/location.ts';
import { ReplicaLink } from './replica-link.ts';

const MARK = 'm'.repeat(39).concat('x');
/** It is full of what might begin the mark. */
const RDB = Buffer.from(`${'m'.repeat(45)}some data${'m'.repeat(60)}${'of an RDB '.repeat(700)}mmm`);

/** More than is read at once. */
const LONG = Buffer.alloc(150_000, RDB);

/** What a replica is given by a server that sends in pieces of these lengths, over and over: the data, and what comes next. */
async function received(
  announced: string,
  sent: Buffer,
  lengths: readonly number[],
): Promise<{ rdb: Buffer; parts: number; next: Buffer | undefined }> {
  const server = createServer((socket) => {
    socket.setNoDelay(true).on('error', () => socket.destroy());
    socket.on('data', async (bytes) => {
      if (!String(bytes).includes('PSYNC')) {
        socket.write('+OK\r\n');
        return;
      }
      socket.write(`+FULLRESYNC ${'0'.repeat(40)} 0\r\n${announced}\r\n`);
      // So that the data begins a piece of its own, whose memory is given back.
      await pause(20);
      for (let at = 0, piece = 0; at < sent.length; at += lengths[piece++ % lengths.length]!) {
        socket.write(sent.subarray(at, at + lengths[piece % lengths.length]!));
        // Pieces that wait for each other arrive as one.
        for (let turns = 0; turns < 4; turns++) await turn();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const location = parseLocation(`redis://127.0.0.1:${port}`);
  const link = await ReplicaLink.open(location, { signal: AbortSignal.timeout(20_000), purpose: 'rdb-only' });
  try {
    const synchronized = await link.synchronize();
    if (synchronized.kind !== 'full') throw new Error('no data');
    const parts: Buffer[] = [];
    for await (const bytes of synchronized.rdb) {
      parts.push(Buffer.from(bytes));
      releaseBuffer(bytes);
    }
    const next = announced.startsWith('$EOF') ? undefined : await link.read();
    return { rdb: Buffer.concat(parts), parts: parts.length, next };
  } finally {
    link.close();
    server.close();
  }
}

describe('the link of a replica', () => {
  it.each([
    ['small ones', RDB, [1, 38, 2]],
    ['those as long as the mark', RDB, [40]],
    ['small ones behind large ones', LONG, [65_536, 3, 39]],
    ['large ones behind small ones', LONG, [7, 65_536]],
  ])('gives the data up to the mark, in whatever pieces they come: %s', async (_, data, lengths) => {
    const { rdb } = await received(`$EOF:${MARK}`, Buffer.concat([data, Buffer.from(MARK)]), lengths);
    expect(rdb.equals(data)).toBe(true);
  });

  it('gives as much data as was announced, and what is behind as what comes next', async () => {
    const long = Buffer.alloc(100_000, RDB);
    const { rdb, next } = await received(
      `$${long.length}`,
      Buffer.concat([long, Buffer.from('the stream')]),
      [200_000],
    );
    expect(rdb.equals(long)).toBe(true);
    expect(next?.toString()).toBe('the stream');
  });

  it('is not woken for each of the pieces that come one shortly after the other', async () => {
    const data = Buffer.alloc(200_000, RDB);
    const { rdb, parts } = await received(`$EOF:${MARK}`, Buffer.concat([data, Buffer.from(MARK)]), [100]);
    expect(rdb.equals(data)).toBe(true);
    expect(parts).toBeLessThan(1000);
  });
});
