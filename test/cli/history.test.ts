import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { initialise, PASSWORD, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { testDirectory } from '../support/repository.ts';

describe('the history of files', () => {
  const directory = testDirectory();
  const data = join(directory, 'data');
  const run = (...words: string[]) => runHere(join(directory, 'holdfast.yaml'), ...words);
  const snapshots: string[] = [];

  beforeAll(async () => {
    vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
    mkdirSync(join(data, 'invoices', '2026'), { recursive: true });
    mkdirSync(join(data, 'kept'));
    for (let index = 0; index < 10; index++) writeFileSync(join(data, 'invoices/2026', `${index}.pdf`), 'of ten bytes');
    writeFileSync(join(data, 'kept', 'note'), 'note');
    writePlan(directory, `  files: { type: files, paths: [${data}] }\n  other: { type: files, paths: [${data}/kept] }`);
    await initialise(directory);
    const backUp = async () => snapshots.push((await run('backup', 'files')).json.sources[0].snapshot);
    await backUp();
    writeFileSync(join(data, 'kept', 'more'), 'more');
    await backUp();
    rmSync(join(data, 'invoices'), { recursive: true });
    await backUp();
    return () => vi.unstubAllEnvs();
  });

  it('counts each directory at each recovery point, and names the last one before it vanished', async () => {
    const { exit, json } = await run('history', 'files');
    expect(exit).toBe(0);
    const counts = json.points.map(({ items }: { items: { item: string; count: number }[] }) =>
      Object.fromEntries(items.map(({ item, count }) => [item.slice(data.length), count])),
    );
    expect(counts).toEqual([
      { '': 11, '/invoices': 10, '/kept': 1 },
      { '': 12, '/invoices': 10, '/kept': 2 },
      { '': 2, '/kept': 2 },
    ]);
    expect(json.points.map(({ snapshot }: { snapshot: string }) => snapshot)).toEqual(snapshots);
    expect(json.losses).toMatchObject([
      { item: data, kind: 'dropped', before: { snapshot: snapshots[1], count: 12 } },
      { item: `${data}/invoices`, kind: 'vanished', before: { snapshot: snapshots[1], count: 10, bytes: 120 } },
    ]);
  });

  it('is that of one directory where one is named, also deep down', async () => {
    const { json } = await run('history', 'files', `${data}/invoices/2026`);
    expect(json.points.map(({ items }: { items: { count: number }[] }) => items[0]?.count)).toEqual([
      10,
      10,
      undefined,
    ]);
    expect(json.losses).toMatchObject([{ kind: 'vanished', before: { snapshot: snapshots[1] } }]);
    expect((await run('history', 'other')).json.points).toEqual([]);
    expect((await run('history', 'nobody')).json.error.code).toBe('unknown-source');
  });
});
