import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openFirestore } from '../connection.ts';
import { topCollections } from './living-documents.ts';

describe('a Firestore that cannot be reached', () => {
  it('is given up after the waits between attempts, which last no time themselves', async () => {
    await using connection = openFirestore(
      { project: 'p', database: '(default)' },
      { emulator: `127.0.0.1:${await closedPort()}` },
    );
    const waits: number[] = [];
    const { signal } = new AbortController();
    const pause = async (ms: number) => void waits.push(ms);
    await expect(topCollections(connection, { pause, signal, side: 'target' })).rejects.toMatchObject({
      code: 'target-failed',
    });
    expect(waits).toHaveLength(9);
    expect(waits.reduce((sum, ms) => sum + ms)).toBeLessThan(120_000);
  }, 30_000);
});

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
