import { chmodSync, cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initialiseDirectory } from '../../../test/support/data-directory.ts';
import { requires } from '../../../test/support/requirements.ts';
import { systemClock } from '../../foundation/clock.ts';
import { listPostgresPrograms } from '../../foundation/postgres-programs.ts';
import { noProgress } from '../../foundation/progress.ts';
import type { SandboxNeed, SandboxTarget } from '../sandbox.ts';
import { createLocalSandbox } from './local-sandbox.ts';

describe.skipIf(!requires('postgresql'))('a sandbox for a data directory', () => {
  const sandbox = createLocalSandbox({ clock: systemClock });
  let need: Extract<SandboxNeed, { kind: 'postgres-data' }>;
  /** Of a cluster on which no server ran yet. */
  let original: string;

  beforeAll(async () => {
    const [server] = await listPostgresPrograms(['initdb', 'postgres']);
    original = await initialiseDirectory(server!.binDirectory);
    const { majorVersion } = server!;
    need = { kind: 'postgres-data', majorVersion, superuser: 'postgres', database: 'postgres', settings: {} };
  });
  afterAll(() => {
    rmSync(original, { recursive: true, force: true });
  });

  /** Opens a sandbox, puts a changed copy of the cluster there, and starts it. */
  async function serve(
    change: (directory: string) => void,
    more: Partial<typeof need> = {},
    work: (place: SandboxTarget, url: string) => Promise<void> = async () => {},
  ): Promise<void> {
    const place = await sandbox.open({ ...need, ...more }, noProgress);
    try {
      if (place.target.kind !== 'directory') throw new Error('not a directory');
      cpSync(original, place.target.path, { recursive: true });
      chmodSync(place.target.path, 0o700);
      change(place.target.path);
      const { target } = await place.serve!();
      await work(place, target.url);
    } finally {
      await place.close();
    }
  }

  it('recovers it, with nothing of its own configuration', async () => {
    const spoil = (directory: string) => {
      writeFileSync(join(directory, 'postgresql.conf'), "listen_addresses = '*'\nnonsense = 1\n");
      writeFileSync(join(directory, 'postgresql.auto.conf'), "primary_conninfo = 'host=db.example'\n");
      writeFileSync(join(directory, 'standby.signal'), '');
      writeFileSync(join(directory, 'pg_hba.conf'), 'local all all reject\n');
    };
    await serve(spoil, {}, async (_, url) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      const { rows } = await client.query(
        `select current_setting('listen_addresses') as addresses, current_setting('primary_conninfo') as primary,
                pg_is_in_recovery() as recovering`,
      );
      expect(rows).toEqual([{ addresses: '', primary: '', recovering: false }]);
      await client.end();
    });
  });

  it('tells of what was restored when it does not start', async () => {
    const expected = { code: 'target-failed', message: expect.stringMatching(/does not start: /) };
    await expect(serve((directory) => rmSync(join(directory, 'global/pg_control')))).rejects.toMatchObject(expected);
    const noLog = (directory: string) => {
      for (const name of readdirSync(join(directory, 'pg_wal')))
        rmSync(join(directory, 'pg_wal', name), { recursive: true });
    };
    await expect(serve(noLog)).rejects.toMatchObject(expected);
  });

  it('does not wait for a role or a database that is not there', async () => {
    await expect(serve(() => {}, { superuser: 'nobody_here' })).rejects.toMatchObject({ code: 'target-failed' });
    await expect(serve(() => {}, { database: 'not_here' })).rejects.toMatchObject({ code: 'target-failed' });
  });

  it('is not provable where a setting needs a library that is not here', async () => {
    const settings = { shared_preload_libraries: 'not_installed' };
    await expect(serve(() => {}, { settings })).rejects.toMatchObject({ code: 'not-provable' });
  });

  it('is not provable without the server of that version', async () => {
    await expect(sandbox.open({ ...need, majorVersion: 99 }, noProgress)).rejects.toMatchObject({
      code: 'not-provable',
    });
  });
});
