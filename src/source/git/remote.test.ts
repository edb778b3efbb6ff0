import { mkdtempSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { requires } from '../../../test/support/requirements.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { Git } from './git-program.ts';
import { readRefs, remoteError } from './remote.ts';

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

describe('what git says of a server that it reaches by ssh', () => {
  const behind =
    'fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\n';
  const said = (words: string) =>
    remoteError(new HoldfastError('program-failed', 'git failed', { context: { said: `${words}${behind}` } }), {
      ...{ protocol: 'ssh', url: 'ssh://git@git.example/site.git' },
    });

  it.each([
    [
      'another host key',
      `@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r
The fingerprint for the ED25519 key sent by the remote host is\nSHA256:kQ5fEOHeud8.\r
Add correct host key in /tmp/scratch/remote/known-hosts to get rid of this message.\r
Offending ED25519 key in /tmp/scratch/remote/known-hosts:1\r\n  remove with:\r
  ssh-keygen -f "/tmp/scratch/remote/known-hosts" -R "git.example"\r\nHost key verification failed.\r\n`,
      { code: 'source-refused', retryable: false, reason: 'Host key verification failed.', hint: /knownHosts/ },
    ],
    [
      'a key that it does not take',
      'git@git.example: Permission denied (publickey).\r\n',
      {
        ...{ code: 'source-refused', retryable: false, hint: /credentials/ },
        reason: 'git@git.example: Permission denied (publickey).',
      },
    ],
    [
      'silence in the middle',
      'Timeout, server git.example not responding.\r\n',
      { code: 'source-lost', retryable: true, reason: 'Timeout, server git.example not responding.', hint: /again/ },
    ],
    [
      'no answer',
      'ssh: connect to host git.example port 22: Connection refused\r\n',
      {
        ...{ code: 'source-unreachable', retryable: true, hint: /ls-remote/ },
        reason: 'fatal: Could not read from remote repository.',
      },
    ],
  ])('is told by what it means: %s', (_, words, { code, retryable, reason, hint }) => {
    const error = said(words) as HoldfastError;
    expect(error).toMatchObject({ code, retryable, hint: expect.stringMatching(hint) });
    expect(error.context['reason']).toBe(reason);
    expect(error.context['said']).not.toMatch(/\r|scratch/);
  });
});
