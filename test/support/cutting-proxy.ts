/** A line to a server that breaks where it is told, at any byte: within a head as within a body. */

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type Direction = 'request' | 'answer';

export interface CuttingProxy {
  endpoint: string;
  /** Where the next connection that is made breaks; those after it do not. */
  cut: { direction: Direction; afterBytes: number } | undefined;
  /** How many bytes went either way since this was last set to 0, of all connections. */
  passedBytes: Record<Direction, number>;
  close(): Promise<void>;
}

/** @param target the URL of a server */
export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  const server = createServer((incoming) => {
    const { cut } = proxy;
    proxy.cut = undefined;
    const outgoing = connect(Number(port), hostname);
    const breakBoth = () => {
      incoming.resetAndDestroy();
      outgoing.destroy();
    };
    const passOn = (from: Socket, to: Socket, direction: Direction) => {
      let leftBytes = cut?.direction === direction ? cut.afterBytes : Number.POSITIVE_INFINITY;
      if (leftBytes === 0) breakBoth();
      from.on('data', (bytes) => {
        proxy.passedBytes[direction] += bytes.length;
        const part = bytes.subarray(0, leftBytes);
        leftBytes -= part.length;
        // What was passed on is to arrive before the reset does.
        to.write(part, () => void (leftBytes === 0 && setTimeout(breakBoth, 1)));
      });
      from.on('error', breakBoth);
      from.on('close', () => to.destroy());
    };
    for (const socket of [incoming, outgoing]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    }
    passOn(incoming, outgoing, 'request');
    passOn(outgoing, incoming, 'answer');
  });
  const proxy: CuttingProxy = {
    endpoint: '',
    cut: undefined,
    passedBytes: { request: 0, answer: 0 },
    close: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return proxy;
}
