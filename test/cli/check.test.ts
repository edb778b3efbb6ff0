import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openRepository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { document, holdfast, initialise, PASSWORD, scratchDirectory, writePlan } from '../support/cli.ts';
import { segments, writeTail } from '../support/log.ts';
import { noise } from '../support/repository.ts';

describe('holdfast check --read-data-subset', () => {
  it('reads everything over successive runs, and finds then what a single run did not reach', async () => {
    const directory = scratchDirectory();
    mkdirSync(join(directory, 'data'));
    writePlan(directory, `  files: { type: files, paths: [${directory}/data] }`);
    await initialise(directory);
    for (let count = 0; count < 3; count++) {
      writeFileSync(join(directory, 'data', `${count}`), noise(1 << 20, count));
      expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    }
    const data = join(directory, 'repository', 'data');
    const packs = readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => name.length > 60);
    let read = 0;
    for (let run = 0; run < 3; run++) {
      const ran = await holdfast(directory, ['check', '--read-data-subset', '34%', '--json']);
      expect(ran.exit, ran.stderr).toBe(0);
      const { packsRead, bytesRead } = document(ran).repositories[0];
      expect(packsRead).toBeLessThan(packs.length);
      expect(bytesRead).toBeGreaterThan(1 << 20);
      read += packsRead;
    }
    expect(read).toBeGreaterThanOrEqual(packs.length);
    const largest = packs.toSorted((a, b) => size(data, a) - size(data, b)).at(-1)!;
    damage(join(data, largest));
    const exits: unknown[] = [];
    for (let run = 0; run < 3; run++) {
      const ran = await holdfast(directory, ['check', '--read-data-subset', '34%']);
      exits.push(ran.exit);
      if (ran.exit === 1) expect(ran.stdout).toMatch(/snapshot [0-9a-f]{8} .*\/data\/[0-9]: blob/);
    }
    expect(exits).toContain(1);
    expect(exits).toContain(0);
    const groups = ['1/2', '2/2'].map((part) => holdfast(directory, ['check', '--read-data-subset', part]));
    expect((await Promise.all(groups)).map(({ exit }) => exit).sort()).toEqual([0, 1]);
    for (const words of [
      ['--read-data-subset', '5'],
      ['--read-data', '--read-data-subset', '5%'],
    ]) {
      expect((await holdfast(directory, ['check', ...words])).exit).toBe(2);
    }
    rmSync(join(data, largest));
    expect((await holdfast(directory, ['check', '--read-headers'])).exit).toBe(1);
  });
});

describe('holdfast check', () => {
  it('says which backups are gone that nobody recorded as removed, and is not clean without the newest', async () => {
    const directory = scratchDirectory();
    mkdirSync(join(directory, 'data'));
    writePlan(directory, `  files: { type: files, paths: [${directory}/data], retention: { last: 2 } }`);
    await initialise(directory);
    for (let count = 0; count < 3; count++) expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    expect((await holdfast(directory, ['retain'])).exit).toBe(0);
    const found = async () => {
      const ran = await holdfast(directory, ['check', '--json']);
      return [ran.exit, document(ran).repositories[0].findings];
    };
    expect(await found()).toEqual([0, []]);
    const [older, newest] = document(await holdfast(directory, ['snapshots', '--json'])).snapshots as { id: string }[];
    const remove = ({ id }: { id: string }) => rmSync(join(directory, 'repository', 'snapshots', id));
    remove(older!);
    expect(await found()).toEqual([
      0,
      [expect.objectContaining({ severity: 'note', where: `snapshots/${older!.id}` })],
    ]);
    remove(newest!);
    const [exit, [, lost]] = (await found()) as [number, unknown[]];
    expect([exit, lost]).toMatchObject([1, { severity: 'error', where: `snapshots/${newest!.id}` }]);
  });

  it('reads what lies beside the snapshots of a log, and says what is missing there and of which time', async () => {
    const directory = scratchDirectory();
    writePlan(directory, `  files: { type: files, paths: [${directory}] }`);
    await initialise(directory);
    const repository = await openRepository(createLocalStore(join(directory, 'repository')), PASSWORD);
    await writeTail(repository, segments(3, 4), { coveredUntil: '2026-01-31T14:03:00Z' });
    await writeTail(repository, segments(4, 5), { coveredUntil: '2026-01-31T14:04:00Z' });
    const clean = await holdfast(directory, ['check']);
    expect([clean.exit, clean.stdout]).toEqual([0, expect.stringContaining('2 objects of logs')]);
    await writeTail(repository, segments(6, 6.5), { coveredUntil: '2026-01-31T14:05:00Z' });
    const ran = await holdfast(directory, ['check', '--json']);
    const [{ clean: isClean, findings }] = document(ran).repositories;
    expect([ran.exit, isClean]).toEqual([1, false]);
    expect(findings).toMatchObject([
      {
        message: expect.stringContaining('no gap was recorded'),
        log: { start: '0/50000', end: '0/60000', after: '2026-01-31T14:04:00Z', until: '2026-01-31T14:05:00Z' },
      },
    ]);
  });
});

function size(data: string, pack: string): number {
  return readFileSync(join(data, pack)).length;
}

function damage(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  rmSync(file);
  writeFileSync(file, bytes);
}
