import { connect, createServer, type Socket } from 'node:net';
import { expect, it, vi } from 'vitest';
import { Connection } from '../connection/connection.ts';
import { parseLocation } from '../connection/location.ts';
import { inspectServer } from '../server.ts';
import { restoreByReplication } from './replicate.ts';

const ID = 'a'.repeat(40);
const INFO = `role:master\r\nmaster_replid:${ID}\r\n`;

/**
 * A server that asks for the data when it is told to, and then takes none of it.
 * @param answersLate it is a replica before it says so
 */
async function stuckServer({ answersLate = false } = {}) {
  const told: string[] = [];
  const replicas: Socket[] = [];
  const server = createServer((socket) => {
    socket
      .on('error', () => {})
      .on('data', (bytes: Buffer) => {
        const words = bytes.toString('latin1').split('\r\n');
        const [name = '', first = '', second = ''] = [words[2], words[4], words[6]];
        if (name === 'INFO') socket.write(`$${INFO.length}\r\n${INFO}\r\n`);
        else if (name !== 'REPLICAOF' || first === 'NO' || !answersLate) socket.write('+OK\r\n');
        if (name !== 'REPLICAOF') return;
        told.push(`${first} ${second}`);
        if (first === 'NO') return;
        const replica = connect(Number(second), first).on('error', () => {});
        replica.write(`PSYNC ${ID} 1\r\n`);
        replicas.push(replica.pause());
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.close();
    for (const replica of replicas) replica.destroy();
  };
  return { url: `redis://127.0.0.1:${(server.address() as { port: number }).port}`, told, close };
}

it('is interrupted also where the server has stopped to take what is sent, and leaves no replica', async () => {
  const server = await stuckServer();
  const interrupted = new AbortController();
  const { signal } = interrupted;
  const connection = await Connection.open(parseLocation(server.url), { side: 'target', signal });
  const facts = await inspectServer(connection);
  const sent = { bytes: 0 };
  async function* rdb() {
    for (;;) {
      signal.throwIfAborted();
      sent.bytes += 1_000_000;
      yield Buffer.alloc(1_000_000);
    }
  }
  const restoring = restoreByReplication(connection, facts, { sizeBytes: 1e12, hasFunctions: false, rdb }, signal);
  const failed = expect(restoring).rejects.toThrow('enough');
  for (let before = -1; sent.bytes === 0 || sent.bytes > before; ) {
    before = sent.bytes;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  interrupted.abort(new Error('enough'));
  await failed;
  expect(server.told.at(-1)).toBe('NO ONE');
  server.close();
});

it('leaves no replica where it is interrupted before the server has said that it is one', async () => {
  const server = await stuckServer({ answersLate: true });
  const interrupted = new AbortController();
  const { signal } = interrupted;
  const connection = await Connection.open(parseLocation(server.url), { side: 'target', signal });
  const facts = await inspectServer(connection);
  const data = { sizeBytes: 1, hasFunctions: false, rdb: async function* () {} };
  const failed = expect(restoreByReplication(connection, facts, data, signal)).rejects.toThrow('enough');
  await vi.waitUntil(() => server.told.length > 0, { timeout: 30_000 });
  interrupted.abort(new Error('enough'));
  await failed;
  expect(server.told.at(-1)).toBe('NO ONE');
  server.close();
});
