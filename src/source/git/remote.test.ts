import { mkdtempSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { requires } from '../../../test/support/requirements.ts';
import { Git } from './git-program.ts';
import { readRefs } from './remote.ts';

describe.skipIf(!requires('git'))('a server that takes a connection and never answers', () => {
  it('is not waited for without end', async () => {
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const scratchDirectory = mkdtempSync(join(tmpdir(), 'remote-'));
    const { signal } = new AbortController();
    const git = await Git.prepare({ scratchDirectory, variables: process.env, signal });
    const url = `git://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
    await expect(readRefs({ git, address: { protocol: 'git', url } }, 300)).rejects.toMatchObject({
      ...{ code: 'source-unreachable', retryable: true },
      message: expect.stringContaining('does not answer'),
    });
    server.close();
  });
});
