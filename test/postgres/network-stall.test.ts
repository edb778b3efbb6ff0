import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { settled } from '../../src/foundation/promises.ts';
import { StoredLog } from '../../src/operations/log/stored-log.ts';
import { TailWriter } from '../../src/operations/log/tail-writer.ts';
import { segmentName } from '../../src/operations/log/wal-snapshots.ts';
import { LogTail, type Repository } from '../../src/repository/index.ts';
import { parseLocation } from '../../src/source/postgres/location.ts';
import { followCluster } from '../../src/source/postgres/wal/follow.ts';
import {
  initialiseDirectory,
  type StartedDirectory,
  serverDirectory,
  startDirectory,
} from '../support/data-directory.ts';
import { until } from '../support/followed.ts';
import { PhysicalRepository } from '../support/physical.ts';
import { testRepository } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { type StallingProxy, startStallingProxy } from '../support/stalling-proxy.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const SETTINGS = { wal_sender_timeout: '1s', wal_keep_size: '4GB' };
const LONGER_MS = 2500;
const OWNER = { plan: 'shop', source: 'db' };

describe.skipIf(!requires('postgresql'))(
  'a network that stalls for longer than wal_sender_timeout',
  { timeout: 60_000 },
  () => {
    let data: string;
    let server: StartedDirectory;
    let proxy: StallingProxy;

    beforeAll(async () => {
      data = await initialiseDirectory(BIN);
      const sockets = await serverDirectory();
      server = await startDirectory(BIN, data, { settings: { ...SETTINGS, unix_socket_directories: sockets } });
      proxy = await startStallingProxy(sockets);
    });
    afterAll(async () => {
      proxy.close();
      await settled(server.stop());
    });

    const senders = async () => (await server.query('select pid from pg_stat_replication')).length;

    describe('while the log is followed', () => {
      let repository: Repository;
      let writer: TailWriter;
      let controller: AbortController;
      let following: Promise<void>;
      let notes: string[];

      beforeEach(async () => {
        repository = await testRepository();
        controller = new AbortController();
        notes = [];
        const { signal } = controller;
        const told = { note: (message: string) => void notes.push(message), observe: () => {} };
        writer = new TailWriter(new LogTail(repository, OWNER), {
          ...{ clock: systemClock, signal, everyMs: 50, ...told },
          positionOf: async ({ system }) => (await stored()).positionOf(system),
          ...{ find: async () => undefined, needsBackup: () => {}, recordRelease: () => {} },
          recordGap: async () => void notes.push('a gap'),
          recordLeft: async () => void notes.push('a timeline left'),
        });
        const context = {
          ...{ clock: systemClock, signal, silenceMs: LONGER_MS, ...told },
          ...{ warnRetainedBytes: 1e9, releaseRetainedBytes: 1e9, lookEveryMs: 1e9 },
        };
        const options = { location: async () => parseLocation(proxy.url('postgres')), slot: 'holdfast_stall' };
        following = followCluster(options, writer, context);
        await until(async () => writer.durable !== undefined);
      });
      afterEach(async () => {
        controller.abort();
        await settled(following);
        await settled(writer.close());
      });

      const stored = () => StoredLog.read(repository, OWNER, async () => []);

      async function isAllStored(): Promise<void> {
        const [row] = await server.query(
          `select (pg_current_wal_flush_lsn() - '0/0')::text as lsn, system_identifier::text as system from pg_control_system()`,
        );
        await until(async () => writer.durable!.lsn >= BigInt(String(row!['lsn'])), 30_000);
        const log = await stored();
        const system = String(row!['system']);
        const [range, ...others] = log.ranges(system);
        expect(others).toEqual([]);
        for (let at = range!.start; at < range!.end; at += 1n << 20n) {
          const file = readFileSync(join(data, 'pg_wal', segmentName(1, at, 1 << 20)));
          const end = at + (1n << 20n) < range!.end ? at + (1n << 20n) : range!.end;
          const found = await log.read(system, { timeline: 1, start: at, end });
          expect(found.equals(file.subarray(0, found.length))).toBe(true);
        }
        expect(notes).not.toContain('a gap');
      }

      it.each([
        ['comes back', true],
        ['never carries anything of that connection again', false],
      ])('and %s, all of it is stored', async (_, isBack) => {
        proxy.stall();
        await server.query('create table filled as select i, md5(i::text) from generate_series(1, 20000) i');
        await until(async () => (await senders()) === 0);
        if (isBack) proxy.resume();
        await isAllStored();
        expect(notes.filter((note) => note.endsWith('trying again')).length).toBeGreaterThan(0);
        await server.query('drop table filled');
        await isAllStored();
      });
    });

    it('in the middle of a backup, which goes on when it is back', async () => {
      const repository = new PhysicalRepository();
      await server.query('create table large as select i, md5(i::text) from generate_series(1, 100000) i; checkpoint');
      let isStalled = false;
      let isBack = false;
      const advance = (): void => {
        if (isStalled) return;
        isStalled = true;
        proxy.stall();
        setTimeout(() => {
          isBack = true;
          proxy.resume();
        }, LONGER_MS);
      };
      const { id, capture } = await repository.backup(proxy.url('postgres'), { ...noProgress, advance });
      expect(isBack).toBe(true);
      expect(capture.problems).toEqual([]);
      const { directory } = await repository.restore(id);
      const restored = await startDirectory(BIN, directory);
      try {
        expect(await restored.query('select count(*)::int from large')).toEqual([{ count: 100_000 }]);
      } finally {
        await restored.stop();
      }
    });
  },
);
