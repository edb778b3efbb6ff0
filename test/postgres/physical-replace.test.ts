import { existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TreeNode } from '../../src/format/index.ts';
import type { SnapshotReader } from '../../src/repository/index.ts';
import {
  initialiseDirectory,
  runAsServer,
  type StartedDirectory,
  serverDirectory,
  startDirectory,
} from '../support/data-directory.ts';
import { type PhysicalBackup, PhysicalRepository } from '../support/physical.ts';
import { requires } from '../support/requirements.ts';
import { describeTree } from '../support/tree.ts';

const BIN = '/usr/lib/postgresql/15/bin';

/** All but when the control file was written, which comes last. */
function stateOf(directory: string): ReturnType<typeof describeTree> {
  const tree = describeTree(directory);
  for (const name of ['global', 'global/pg_control']) Object.assign(tree.get(name)!, { mtimeNs: 0n });
  return tree;
}

describe.skipIf(!requires('postgresql'))('a restore over an older data directory', { timeout: 60_000 }, () => {
  const physical = new PhysicalRepository();
  let origin: StartedDirectory;
  let backup: PhysicalBackup;

  beforeAll(async () => {
    const data = await initialiseDirectory(BIN);
    origin = await startDirectory(BIN, data, { settings: { wal_level: 'replica', max_wal_senders: '4' } });
    await origin.query('create table t as select i, md5(i::text) as content from generate_series(1, 100000) i');
    backup = await physical.backup(origin.url('postgres'));
  });
  afterAll(() => origin.stop());

  /** A copy that has lived on: rows changed, files came and went. */
  async function livedOn(): Promise<string> {
    const { directory } = await physical.restore(backup.id);
    const server = await startDirectory(BIN, directory);
    await server.query('update t set content = $$other$$ where i % 100 = 0; create table later as select 1');
    await server.query('checkpoint');
    await server.stop();
    return directory;
  }

  it('makes it what the backup is, and leaves what is right alone', async () => {
    const { directory: fresh } = await physical.restore(backup.id);
    const directory = await livedOn();
    const untouched = join(directory, 'PG_VERSION');
    const { ino, ctimeMs } = statSync(untouched);
    const restored = await physical.restoreTo(directory, backup.id, { replace: true });
    expect(restored.problems).toEqual([]);
    expect(stateOf(directory)).toEqual(stateOf(fresh));
    expect(statSync(untouched)).toMatchObject({ ino, ctimeMs });
    const verified = await runAsServer(join(BIN, 'pg_verifybackup'), [directory]);
    expect(verified.output).toContain('backup successfully verified');
    const server = await startDirectory(BIN, directory);
    const [row] = await server.query(
      "select count(*) filter (where content = md5(i::text)) as rows, to_regclass('later') as later from t",
    );
    expect(row).toMatchObject({ rows: '100000', later: null });
    await server.stop();
  });

  it('asks for the log before the control file is there, so that no server starts without it', async () => {
    const directory = join(await serverDirectory(), 'restored');
    const there = (name: string): boolean => existsSync(join(directory, name));
    let seen: Record<string, unknown> = {};
    const cutOff = (reader: SnapshotReader): SnapshotReader =>
      new Proxy(reader, {
        get: (target, name: keyof SnapshotReader) => {
          if (name !== 'readWhole')
            return typeof target[name] === 'function' ? target[name].bind(target) : target[name];
          return (node: TreeNode, limitBytes: number): Promise<Buffer> => {
            if (node.name !== 'pg_control') return target.readWhole(node, limitBytes) as Promise<Buffer>;
            const auto = readFileSync(join(directory, 'postgresql.auto.conf'), 'utf8');
            seen = {
              signal: there('recovery.signal'),
              control: there('global/pg_control'),
              last: auto.split('\n').at(-2),
            };
            return Promise.reject(new Error('cut off'));
          };
        },
      });
    const how = { isReplayed: true, recoverySettings: { restore_command: `cp 'a\\b' %p` } };
    await expect(physical.restoreTo(directory, backup.id, how, cutOff)).rejects.toThrow('cut off');
    expect(seen).toEqual({ signal: true, control: false, last: `restore_command = 'cp ''a\\\\b'' %p'` });
    expect(there('global/pg_control')).toBe(false);
    await expect(startDirectory(BIN, directory)).rejects.toThrow();
  });

  it('only says what would go, when asked for that', async () => {
    const directory = await livedOn();
    const before = describeTree(directory);
    const { surplus } = await physical.restoreTo(directory, backup.id, { replace: true, dryRun: true });
    expect(surplus?.some((path) => path.endsWith('postmaster.opts'))).toBe(true);
    expect(surplus?.some((path) => path.endsWith('pg_control'))).toBe(false);
    expect(describeTree(directory)).toEqual(before);
  });

  it('removes nothing through a link', async () => {
    const { directory: other } = await physical.restore(backup.id);
    const directory = await livedOn();
    rmSync(join(directory, 'global'), { recursive: true });
    symlinkSync(join(other, 'global'), join(directory, 'global'));
    await physical.restoreTo(directory, backup.id, { replace: true });
    expect(existsSync(join(other, 'global', 'pg_control'))).toBe(true);
    const { directory: fresh } = await physical.restore(backup.id);
    expect(stateOf(directory)).toEqual(stateOf(fresh));
  });

  it('is refused where a server runs', async () => {
    const { directory } = await physical.restore(backup.id);
    const server = await startDirectory(BIN, directory);
    await expect(physical.restoreTo(directory, backup.id, { replace: true })).rejects.toMatchObject({
      code: 'target-unsuitable',
      message: expect.stringContaining(String(server.pid)),
    });
    expect(existsSync(join(directory, 'global', 'pg_control'))).toBe(true);
    await server.stop();
  });

  it('leaves nothing that a server would start from when it fails, and is done right by the next one', async () => {
    const directory = await livedOn();
    rmSync(join(directory, 'base', '1', 'PG_VERSION'));
    const packs = readdirSync(join(physical.directory, 'data'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const path = packs.reduce((largest, each) => (statSync(each).size > statSync(largest).size ? each : largest));
    const whole = readFileSync(path);
    // Its first blobs alone: the manifest, which is read before anything is written, came last.
    writeFileSync(path, Buffer.concat([Buffer.alloc(100_000), whole.subarray(100_000)]));
    await expect(physical.restoreTo(directory, backup.id, { replace: true })).rejects.toMatchObject({
      code: 'repository-damaged',
    });
    expect(existsSync(join(directory, 'global', 'pg_control'))).toBe(false);
    writeFileSync(path, whole);
    await physical.restoreTo(directory, backup.id, { replace: true });
    const { directory: fresh } = await physical.restore(backup.id);
    expect(stateOf(directory)).toEqual(stateOf(fresh));
  });
});
