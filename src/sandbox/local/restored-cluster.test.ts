import { chmodSync, cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initialiseDirectory, serverDirectory, startDirectory } from '../../../test/support/data-directory.ts';
import { embeddedPostgres18BinDirectory } from '../../../test/support/embedded-postgres.ts';
import { requires, skipWithout } from '../../../test/support/requirements.ts';
import { systemClock } from '../../foundation/clock.ts';
import { listPostgresPrograms } from '../../foundation/postgres-programs.ts';
import { noProgress } from '../../foundation/progress.ts';
import type { SandboxNeed, SandboxTarget } from '../sandbox.ts';
import { createLocalSandbox } from './local-sandbox.ts';

describe.skipIf(!requires('postgresql'))('a sandbox for a data directory', () => {
  const sandbox = createLocalSandbox({ clock: systemClock });
  let need: Extract<SandboxNeed, { kind: 'postgres-data' }>;
  let binDirectory: string;
  /** Of a cluster on which no server ran yet. */
  let original: string;

  beforeAll(async () => {
    const [server] = await listPostgresPrograms(['initdb', 'postgres']);
    binDirectory = server!.binDirectory;
    original = await initialiseDirectory(binDirectory);
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
      const auto = ["primary_conninfo = 'host=db.example'", "statement_timeout = '7s'"];
      writeFileSync(join(directory, 'postgresql.auto.conf'), `${auto.join('\n')}\n`);
      writeFileSync(join(directory, 'standby.signal'), '');
      writeFileSync(join(directory, 'pg_hba.conf'), 'local all all reject\n');
    };
    await serve(spoil, {}, async (_, url) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      const { rows } = await client.query(
        `select current_setting('listen_addresses') as addresses, current_setting('primary_conninfo') as primary,
                current_setting('statement_timeout') as timeout, pg_is_in_recovery() as recovering`,
      );
      expect(rows).toEqual([{ addresses: '', primary: '', timeout: '0', recovering: false }]);
      await client.end();
    });
  });

  /** Starts the cluster, changes it by SQL, and gives a copy of what a crash would have left. */
  async function changed(binDirectory: string, directory: string, sql: string): Promise<string> {
    const server = await startDirectory(binDirectory, directory);
    try {
      await server.query(sql);
    } finally {
      await server.stop();
    }
    return directory;
  }

  async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  it('loads no library that a role or a database has for its sessions, and follows no subscription', async () => {
    const directory = await changed(
      binDirectory,
      await initialiseDirectory(binDirectory),
      `alter role postgres set session_preload_libraries = 'nowhere';
       alter database postgres set local_preload_libraries = 'nowhere';
       create subscription s connection 'host=db.example dbname=shop' publication p with (connect = false, slot_name = 's');
       alter subscription s enable`,
    );
    const copy = (path: string) => cpSync(directory, path, { recursive: true });
    await serve(copy, {}, async (_, url) => {
      const [row] = await query(
        url,
        `select current_setting('session_preload_libraries') as session, current_setting('local_preload_libraries') as local,
                (select subenabled from pg_subscription) as subscribed,
                (select count(*)::int from pg_stat_activity where backend_type ~ 'logical|subscription|walreceiver|archiver') as workers`,
      );
      expect(row).toEqual({ session: '', local: '', subscribed: true, workers: 0 });
    });
    rmSync(directory, { recursive: true, force: true });
  });

  it('runs nothing that a configuration beside the data asks for, where the directory is there to stay', async () => {
    const traces = await serverDirectory();
    const touch = (name: string) => `'touch ${join(traces, name)}'`;
    const directory = await initialiseDirectory(binDirectory);
    const lines = [
      `archive_mode = 'on'`,
      `archive_command = ${touch('archive')}`,
      `recovery_end_command = ${touch('end')}`,
      `archive_cleanup_command = ${touch('cleanup')}`,
      `restore_command = ${touch('restore')}`,
      `external_pid_file = '${join(traces, 'pid')}'`,
      `shared_preload_libraries = 'nowhere'`,
      `synchronous_standby_names = 'somebody'`,
      `primary_conninfo = 'host=db.example'`,
    ];
    writeFileSync(join(directory, 'postgresql.auto.conf'), `${lines.join('\n')}\n`);
    const files = { read: async () => undefined, following: () => undefined };
    const recovery = { files, settings: { recovery_target_timeline: 'latest' } };
    const place = await sandbox.open({ ...need, dataDirectory: directory, recovery }, noProgress);
    try {
      const { target } = await place.serve!();
      // What is written makes a segment that an archive would be given.
      await query(target.url, 'create table t as select 1');
      await query(target.url, 'select pg_switch_wal()');
      await query(target.url, 'checkpoint');
      // A file with its process id would go with the server.
      expect(readdirSync(traces)).toEqual([]);
    } finally {
      await place.close();
    }
    expect(readdirSync(traces)).toEqual([]);
    rmSync(directory, { recursive: true, force: true });
  });

  it('runs none of the code that a cluster has for whoever logs in', async (context) => {
    skipWithout(context, 'embedded-postgres');
    const bin18 = embeddedPostgres18BinDirectory()!;
    const directory = await changed(
      bin18,
      await initialiseDirectory(bin18),
      `create function refuse() returns event_trigger language plpgsql as $$ begin raise exception 'nobody'; end $$;
       create event trigger at_login on login execute function refuse()`,
    );
    const before = process.env['HOLDFAST_POSTGRES_BIN'];
    process.env['HOLDFAST_POSTGRES_BIN'] = bin18;
    try {
      const copy = (path: string) => cpSync(directory, path, { recursive: true });
      await serve(copy, { majorVersion: 18 }, async (_, url) => {
        expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }]);
      });
    } finally {
      if (before === undefined) delete process.env['HOLDFAST_POSTGRES_BIN'];
      else process.env['HOLDFAST_POSTGRES_BIN'] = before;
      rmSync(directory, { recursive: true, force: true });
    }
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
