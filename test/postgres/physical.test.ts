import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { noProgress } from '../../src/foundation/progress.ts';
import { settled } from '../../src/foundation/promises.ts';
import { listSnapshots } from '../../src/repository/index.ts';
import {
  initialiseDirectory,
  runAsServer,
  type StartedDirectory,
  serverDirectory,
  startDirectory,
} from '../support/data-directory.ts';
import { embeddedPostgres18BinDirectory } from '../support/embedded-postgres.ts';
import { PhysicalRepository } from '../support/physical.ts';
import { failure } from '../support/postgres-source.ts';
import { inPhase } from '../support/progress.ts';
import { requires } from '../support/requirements.ts';
import { resticCheck } from '../support/restic.ts';

const DEBIAN_15 = '/usr/lib/postgresql/15/bin';
const VERSIONS = [
  { version: 15, binDirectory: DEBIAN_15, isHere: requires('postgresql', 'restic') },
  {
    version: 18,
    binDirectory: embeddedPostgres18BinDirectory() ?? '',
    isHere: requires('embedded-postgres', 'restic'),
  },
];
const SETTINGS = { wal_level: 'replica', max_wal_senders: '4', full_page_writes: 'on' };
const ACCOUNTS = 100_000;
/** Of one backup: two files of the log, the manifest, and catalogues that a few statements change. */
const LOG_BYTES = 3 * 1024 * 1024;

/** Transfers between accounts, as pgbench makes them, until it is told to end. */
async function transferUntil(url: string, isOver: () => boolean): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  let transfers = 0;
  for (; !isOver(); transfers++) {
    const [from, to] = [1 + ((transfers * 7919) % ACCOUNTS), 1 + ((transfers * 104_729) % ACCOUNTS)];
    await client.query(
      `begin; update accounts set balance = balance - 1 where id = ${from};
       update accounts set balance = balance + 1 where id = ${to};
       insert into history (source, target) values (${from}, ${to}); commit`,
    );
  }
  await client.end();
  return transfers;
}

for (const { version, binDirectory, isHere } of VERSIONS) {
  describe.skipIf(!isHere)(`a physical backup of PostgreSQL ${version}`, { timeout: 180_000 }, () => {
    let directory: string;
    let server: StartedDirectory;
    const repository = new PhysicalRepository();
    const started: StartedDirectory[] = [];

    beforeAll(async () => {
      directory = await initialiseDirectory(binDirectory);
      server = await startDirectory(binDirectory, directory, { settings: SETTINGS });
      await server.query(
        `create table accounts (id int primary key, balance int not null, filler text);
         insert into accounts select i, 0, md5(i::text) || md5((i * 3)::text) from generate_series(1, ${ACCOUNTS}) i;
         create table history (id bigserial primary key, source int, target int)`,
      );
      await server.query('vacuum analyze');
    });
    afterEach(async () => {
      for (const each of started.splice(0)) await settled(each.stop());
    });
    afterAll(async () => {
      await settled(server.stop());
      for (const each of [dirname(directory), repository.directory]) rmSync(each, { recursive: true, force: true });
    });

    async function start(data: string): Promise<StartedDirectory> {
      const restored = await startDirectory(binDirectory, data);
      started.push(restored);
      return restored;
    }

    it('taken under load starts after stock restic restored it, and is one moment', async () => {
      let isOver = false;
      const transfers = transferUntil(server.url('postgres'), () => isOver);
      const { capture } = await repository.backup(server.url('postgres'));
      isOver = true;
      expect(await transfers).toBeGreaterThan(0);
      expect(capture.problems).toEqual([]);
      expect(capture.manifest.details).toMatchObject({
        format: 'pg-data-directory',
        majorVersion: version,
        pageChecksums: true,
        cutBytes: 65_536,
        warnings: [],
      });
      resticCheck(repository.directory);
      const data = join(await repository.resticRestore(), 'data');
      if (version === 15) expect((await verifyBackup(data)).output).toBe('backup successfully verified\n');
      const restored = await start(data);
      const [row] = await restored.query(
        `select sum(balance)::int as sum, count(*)::int as accounts,
                count(*) filter (where balance <> coalesce(gained, 0) - coalesce(lost, 0))::int as wrong
           from accounts
           left join (select target as id, count(*) as gained from history group by 1) g using (id)
           left join (select source as id, count(*) as lost from history group by 1) l using (id)`,
      );
      expect(row).toEqual({ sum: 0, accounts: ACCOUNTS, wrong: 0 });
    });

    it('is restored to a directory that a server starts from', async () => {
      const { id } = await repository.backup(server.url('postgres'));
      const restored = await repository.restore(id);
      expect(restored.restored.problems).toEqual([]);
      expect(statSync(restored.directory).mode & 0o777).toBe(0o700);
      expect(readdirSync(restored.directory).sort()).toEqual(
        readdirSync(directory)
          .filter((name) => !name.startsWith('postmaster.'))
          .concat('backup_label', 'backup_manifest')
          .sort(),
      );
      if (version === 15) expect((await verifyBackup(restored.directory)).status).toBe(0);
      const copy = await start(restored.directory);
      expect(await copy.query('select count(*)::int from accounts')).toEqual([{ count: ACCOUNTS }]);
    });

    it('stores little the second time, when a hundredth of the pages has changed', async () => {
      // What is left to be noted on pages of who changed them is noted now, and not by the update below.
      await server.query('vacuum freeze');
      await server.query('checkpoint');
      const { capture } = await repository.backup(server.url('postgres'));
      // A page has about 80 rows: these are far from each other, and on a hundredth of the table's pages.
      await server.query('update accounts set balance = balance where id % 8000 = 17');
      const { addedBytes } = await repository.backup(server.url('postgres'));
      const table = await server.query(`select pg_relation_size('accounts')::int as bytes`);
      expect(addedBytes).toBeLessThan(Number(table[0]?.['bytes']) * 0.09 + LOG_BYTES);
      expect(addedBytes).toBeLessThan(capture.counts.bytesProcessed * 0.1);
    });

    it('names relation and block of a page that is broken on the disk, and is partial', async () => {
      await server.query('create table broken as select generate_series(1, 5000) i; checkpoint');
      const [row] = await server.query(`select pg_relation_filepath('broken') as path`);
      const path = String(row?.['path']);
      // Behind the server's back: what it has in its memory stays right.
      const write = ['conv=notrunc', 'bs=1', 'count=3', `seek=${3 * 8192 + 5000}`, `of=${join(directory, path)}`];
      execFileSync('dd', ['if=/dev/urandom', ...write], { stdio: 'ignore' });
      const { capture, id } = await repository.backup(server.url('postgres'));
      expect(capture.problems.map(({ item, error }) => [item, error.code, error.message])).toEqual([
        [path, 'source-damaged', `${path}: the checksum of block 3 is wrong`],
      ]);
      expect(capture.manifest.problems).toHaveLength(1);
      // It is stored as it is, and the server's manifest agrees with that.
      if (version === 15) {
        expect((await verifyBackup((await repository.restore(id)).directory)).status).toBe(0);
      }
      await server.query('create role backup login replication');
      const byRole = async () => (await repository.backup(server.url('postgres', 'backup'))).capture.problems;
      const grant = 'GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO "backup";';
      expect((await byRole())[0]?.error.hint).toContain(grant);
      await server.query(grant);
      expect((await byRole())[0]?.error.hint).toMatch(/Look after the disk/);
      await server.query('drop table broken');
    });

    it('keeps tablespaces beside the data directory, and leads to them', async () => {
      const space = await serverDirectory();
      await server.query(`create tablespace fast location '${space}'`);
      await server.query(`create table elsewhere tablespace fast as select generate_series(1, 1000) i`);
      const { id, capture } = await repository.backup(server.url('postgres'));
      const [{ oid } = {}] = await server.query(`select oid::text from pg_tablespace where spcname = 'fast'`);
      expect(capture.manifest.details['tablespaces']).toEqual([{ oid, path: space }]);
      expect(capture.roots.map(({ name }) => name)).toEqual(['data', 'tablespaces']);

      const restic = await repository.resticRestore();
      expect(readlinkSync(join(restic, 'data', 'pg_tblspc', String(oid)))).toBe(`../../tablespaces/${oid}`);
      if (version === 15) expect((await verifyBackup(join(restic, 'data'))).status).toBe(0);
      const ours = await repository.restore(id);
      expect(readlinkSync(join(ours.directory, 'pg_tblspc', String(oid)))).toBe(`${ours.directory}.tablespaces/${oid}`);
      for (const data of [join(restic, 'data'), ours.directory]) {
        const copy = await start(data);
        expect(await copy.query('select count(*)::int from elsewhere')).toEqual([{ count: 1000 }]);
        // What is written to the copy is not written to the living one.
        await copy.query('insert into elsewhere select generate_series(1, 500000); checkpoint');
      }
      expect(await server.query('select count(*)::int from elsewhere')).toEqual([{ count: 1000 }]);
      const take = (path: string) => mkdirSync(join(`${path}.tablespaces`, 'somebody'), { recursive: true });
      expect(await failure(repository.restore(id, take))).toMatchObject({ code: 'target-not-empty' });
      await server.query('drop table elsewhere');
      await server.query('drop tablespace fast');
    });

    it('is refused with a tablespace that was made meanwhile: its log would make that beside the living one', async () => {
      const space = await serverDirectory();
      const url = server.url('postgres');
      const make = inPhase('receiving the cluster', () =>
        // The server goes on while this process waits.
        execFileSync('psql', ['-qc', `create tablespace late location '${space}'`, url]),
      );
      const refused = await failure(new PhysicalRepository().backup(url, make));
      expect(refused).toMatchObject({ code: 'source-changed', retryable: true });
      expect(refused.message).toContain('the tablespace late was made while the backup was taken');
      await new PhysicalRepository().backup(url);
      await server.query('drop tablespace late');
    });

    it('ends at once when it is interrupted, and leaves no slot behind', async () => {
      const own = new PhysicalRepository();
      const controller = new AbortController();
      const reason = new Error('interrupted');
      const progress = { ...noProgress, advance: () => controller.abort(reason) };
      await expect(own.backup(server.url('postgres'), progress, controller.signal)).rejects.toBe(reason);
      expect(await listSnapshots(await own.repository)).toEqual([]);
      const slots = 'select count(*)::int as count from pg_replication_slots';
      await expect.poll(async () => (await server.query(slots))[0]).toEqual({ count: 0 });
    });

    it('fails without a snapshot when the server dies in its middle', async () => {
      const doomed = await startDirectory(binDirectory, await initialiseDirectory(binDirectory), {
        settings: SETTINGS,
      });
      const own = new PhysicalRepository();
      let bytes = 0;
      const progress = {
        ...noProgress,
        advance: (step: { bytes?: number }) => {
          bytes += step.bytes ?? 0;
          if (bytes > 4_000_000 && bytes < 5_000_000) {
            bytes = 5_000_000;
            process.kill(doomed.pid, 'SIGQUIT');
          }
        },
      };
      await doomed.query('create table filler as select repeat(md5(i::text), 100) from generate_series(1, 100000) i');
      const error = await failure(own.backup(doomed.url('postgres'), progress));
      expect(error).toMatchObject({ code: 'source-lost', retryable: true });
      expect(await listSnapshots(await own.repository)).toEqual([]);
      await settled(doomed.stop());
    });
  });
}

function verifyBackup(directory: string): ReturnType<typeof runAsServer> {
  return runAsServer(join(DEBIAN_15, 'pg_verifybackup'), [directory]);
}

describe.skipIf(!requires('postgresql', 'restic'))('a cluster whose configuration lies elsewhere', () => {
  it('is restored with a minimal one that it starts with', async () => {
    const directory = await initialiseDirectory(DEBIAN_15);
    const elsewhere = join(await serverDirectory(), 'etc');
    mkdirSync(elsewhere);
    const files = ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf'];
    for (const name of files) renameSync(join(directory, name), join(elsewhere, name));
    execFileSync('chmod', ['-R', 'a+rX', dirname(elsewhere)]);
    const server = await startDirectory(DEBIAN_15, directory, {
      settings: {
        ...SETTINGS,
        config_file: join(elsewhere, 'postgresql.conf'),
        hba_file: join(elsewhere, 'pg_hba.conf'),
        ident_file: join(elsewhere, 'pg_ident.conf'),
        max_connections: '123',
      },
    });
    const repository = new PhysicalRepository();
    try {
      const { capture } = await repository.backup(server.url('postgres'));
      expect(capture.manifest.details['madeConfiguration']).toEqual(files);
    } finally {
      await server.stop();
    }
    const data = join(await repository.resticRestore(), 'data');
    expect(readFileSync(join(data, 'postgresql.conf'), 'utf8')).toMatch(/^max_connections = '123'$/m);
    expect(lstatSync(join(data, 'pg_hba.conf')).mode & 0o777).toBe(0o600);
    expect((await verifyBackup(data)).output).toBe('backup successfully verified\n');
    const restored = await startDirectory(DEBIAN_15, data, { settings: { hba_file: join(elsewhere, 'pg_hba.conf') } });
    expect(await restored.query('show max_connections')).toEqual([{ max_connections: '123' }]);
    await restored.stop();
  });
});
