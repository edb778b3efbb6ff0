/** A network between PostgreSQL's clients and a server that stops to carry anything, and tells neither end. */

import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { testDirectory } from './repository.ts';

export interface StallingProxy {
  url(database: string): string;
  /** Of the connections that there are, nothing comes through from here on, an end neither; others are not affected. */
  stall(): void;
  /** What waits comes through, and what follows. */
  resume(): void;
  close(): void;
}

/** @param sockets the directory of the server's socket */
export async function startStallingProxy(sockets: string): Promise<StallingProxy> {
  const directory = testDirectory();
  const name = '.s.PGSQL.5432';
  const open = new Set<Socket>();
  const pass = (from: Socket, to: Socket): void => {
    open.add(from);
    from.on('data', (chunk) => {
      if (to.write(chunk)) return;
      from.pause();
      to.once('drain', () => from.resume());
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => open.delete(from));
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const behind = createConnection({ path: join(sockets, name), allowHalfOpen: true });
    pass(client, behind);
    pass(behind, client);
  });
  await new Promise<void>((resolve) => server.listen(join(directory, name), resolve));
  return {
    url: (database) => `postgres://postgres@/${database}?host=${encodeURIComponent(directory)}&sslmode=disable`,
    stall: () => open.forEach((socket) => void socket.pause().removeAllListeners('drain')),
    resume: () => open.forEach((socket) => void socket.resume()),
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
