import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { noise } from '../../../test/support/repository.ts';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { frugalAgents } from './frugal-agents.ts';

const CONTENT = noise(4 << 20);
const REQUESTS = 25;

describe('an agent that gives memory back', () => {
  it('leaves answers as they are, and none of 100 MB that come to the collector', async () => {
    const server = createServer((_request, answer) => answer.end(CONTENT));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { httpAgent: agent } = frugalAgents({ keepAlive: true, maxSockets: 1 });
    const received = Buffer.alloc(CONTENT.length);
    const beforeBytes = process.memoryUsage().arrayBuffers;
    let mostBytes = 0;
    const once = (): Promise<void> =>
      new Promise((resolve, reject) => {
        let at = 0;
        const outgoing = request({ port, host: '127.0.0.1', agent }, (answer) => {
          answer.on('data', (chunk: Buffer) => {
            received.set(chunk, at);
            at += chunk.length;
            releaseBuffer(chunk);
            mostBytes = Math.max(mostBytes, process.memoryUsage().arrayBuffers);
          });
          answer.on('end', resolve);
        });
        outgoing.on('error', reject).end();
      });
    for (let done = 0; done < REQUESTS; done++) {
      received.fill(0);
      await once();
      expect(received.equals(CONTENT)).toBe(true);
    }
    agent.destroy();
    server.close();
    expect(mostBytes - beforeBytes).toBeLessThan(CONTENT.length * 2);
  });
});
