import { randomBytes } from 'node:crypto';
import { type Agent, createServer, type RequestListener, request } from 'node:http';
import { createServer as createSecureServer, request as secureRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { noise } from '../../../test/support/repository.ts';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { frugalAgents } from './frugal-agents.ts';

const CONTENT = noise(4 << 20);
const REQUESTS = 20;
const answer: RequestListener = (_request, outgoing) => outgoing.end(CONTENT);

/** Both ends know a secret, and need no certificates. */
const psk = randomBytes(32);
const CIPHERS = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const;
const SECURE_SERVER = { ...CIPHERS, pskCallback: () => psk };
const SECURE_CLIENT = {
  ...CIPHERS,
  pskCallback: () => ({ psk, identity: 'test' }),
  checkServerIdentity: () => undefined,
};

async function portOf(server: { listen(port: number, host: string, done: () => void): { address(): unknown } }) {
  const listening = await new Promise<AddressInfo>((resolve) => {
    const started = server.listen(0, '127.0.0.1', () => resolve(started.address() as AddressInfo));
  });
  return listening.port;
}

/** Reads an answer as the store does. @returns how much memory buffers took at most meanwhile */
function read(ask: typeof request, options: object, received: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    let at = 0;
    let mostBytes = 0;
    const outgoing = ask({ host: '127.0.0.1', ...options }, (incoming) => {
      incoming.on('data', (chunk: Buffer) => {
        received.set(chunk, at);
        at += chunk.length;
        releaseBuffer(chunk);
        mostBytes = Math.max(mostBytes, process.memoryUsage().arrayBuffers);
      });
      incoming.on('end', () => resolve(mostBytes));
    });
    outgoing.on('error', reject).end();
  });
}

describe('an agent that gives memory back', () => {
  const { httpAgent, httpsAgent } = frugalAgents({ keepAlive: true, maxSockets: 1 });
  it.each([
    { name: 'open', server: createServer(answer), ask: request, agent: httpAgent as Agent, more: {} },
    {
      name: 'encrypted',
      server: createSecureServer(SECURE_SERVER, answer),
      ask: secureRequest as typeof request,
      agent: httpsAgent as Agent,
      more: SECURE_CLIENT,
    },
  ])('leaves answers over $name connections as they are, and none of 80 MB to the collector', async (scenario) => {
    const { server, ask, agent, more } = scenario;
    const port = await portOf(server);
    const received = Buffer.alloc(CONTENT.length);
    const beforeBytes = process.memoryUsage().arrayBuffers;
    let mostBytes = 0;
    for (let done = 0; done < REQUESTS; done++) {
      received.fill(0);
      mostBytes = Math.max(mostBytes, await read(ask, { port, agent, ...more }, received));
      expect(received.equals(CONTENT)).toBe(true);
    }
    agent.destroy();
    server.close();
    expect(mostBytes - beforeBytes).toBeLessThan(CONTENT.length * 3);
  });
});
