import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { gcsServer, placeIn } from '../../../test/support/gcs-server.ts';
import { requires } from '../../../test/support/requirements.ts';
import { createGcsStore } from '../../store/gcs/index.ts';
import { fetchCommand } from './places.ts';

describe.skipIf(!requires('gcloud'))('what is fetched from Cloud Storage', () => {
  it('comes by gcloud into a directory that is not there yet', async () => {
    const server = await gcsServer();
    onTestFinished(() => server.close());
    const bucket = await server.bucket();
    const store = createGcsStore(placeIn(server.endpoint, bucket, 'some/where'));
    const names = ['covered', '7391/00000001/history'];
    for (const name of names) await store.put(`holdfast/tail/omni/db/${name}`, Buffer.from(name));
    const directory = mkdtempSync(join(tmpdir(), 'fetched-'));
    const line = fetchCommand({ kind: 'gcs', bucket, prefix: 'some/where' }, 'holdfast/tail/omni', 'tail')!;
    const shell = spawn('sh', ['-ec', line], {
      cwd: directory,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...{ PATH: process.env['PATH'], HOME: directory, CLOUDSDK_CORE_PROJECT: 'tests' },
        // The tests' own server, which is open.
        CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `${server.endpoint}/storage/v1/`,
        CLOUDSDK_AUTH_DISABLE_CREDENTIALS: 'true',
      },
    });
    server.fake.isOpen = true;
    const [said, [status]] = await Promise.all([text(shell.stderr), once(shell, 'close')]);
    expect(status, said).toBe(0);
    for (const name of names) expect(readFileSync(join(directory, 'tail/db', name), 'utf8')).toBe(name);
  }, 60_000);
});
