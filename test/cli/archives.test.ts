import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { document, environment, holdfast, initialise, scratchDirectory } from '../support/cli.ts';

const ARCHIVE_PASSWORD = 'another one altogether';

it('an archive is filled, looked at and restored from on the command line', async () => {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'note'), 'remember');
  writeFileSync(
    join(directory, 'holdfast.yaml'),
    `version: 1
name: test
repositories:
  main: { store: ./main, password: { env: HOLDFAST_PASSWORD } }
  archive:
    store: ./archive
    password: { env: ARCHIVE_PASSWORD }
    copies: { from: main, sources: [files], schedule: weekly on sunday at 03:00 }
    retention: { yearly: forever }
sources:
  files: { type: files, paths: [${directory}/data], retention: { last: 1 } }
`,
  );
  await initialise(directory, 'main');
  await initialise(directory, 'archive', ARCHIVE_PASSWORD);
  const run = (...words: string[]) => holdfast(directory, words, environment({ ARCHIVE_PASSWORD }));
  expect(document(await run('plan', 'show', '--json')).repositories.archive.copies.from).toBe('main');

  const early = await run('replicate');
  expect([early.exit, early.stdout]).toEqual([
    1,
    expect.stringContaining('failed files: files has no complete snapshot in main'),
  ]);
  const backedUp = await run('backup', '--json');
  expect([backedUp.exit, backedUp.stderr]).toEqual([0, expect.any(String)]);
  const overdue = await run('status');
  expect([overdue.exit, overdue.stdout]).toEqual([
    4,
    expect.stringContaining('archive of files: never archived; a copy is overdue; that of'),
  ]);
  const filled = await run('replicate', 'archive');
  expect([filled.exit, filled.stdout]).toEqual([
    0,
    expect.stringMatching(
      /archived main to archive .* the next copy is due .* 03:00:00Z\n {2}files of .* is [0-9a-f]{8} there/,
    ),
  ]);
  expect((await run('replicate')).stdout).toMatch(/^not due main to archive/);
  const well = await run('status');
  expect([well.exit, well.stdout]).toEqual([
    0,
    expect.stringMatching(/archive of files: 1 snapshot, the newest of .*; the next copy is due/),
  ]);
  expect((await run('retain', '--dry-run')).stdout).toMatch(
    /files: 1 snapshot kept.*files in archive: 1 snapshot kept/s,
  );

  const days = await run('restore', 'files', '--repository', 'archive', '--to', 'back', '--recall-days', '0');
  expect([days.exit, days.stderr]).toEqual([2, expect.stringContaining('is no number of days')]);
  const restored = await run('restore', 'files', '--repository', 'archive', '--to', 'back');
  expect(restored.exit, restored.stderr).toBe(0);
  expect(existsSync(join(directory, 'back', directory, 'data', 'note'))).toBe(true);
});
