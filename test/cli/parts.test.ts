/** Backups of a part of a source: kept like others, and never taken for a recovery point of all of it. */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { initialise, PASSWORD, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { testDirectory } from '../support/repository.ts';

describe('a backup of some files', () => {
  const directory = testDirectory();
  const data = join(directory, 'data');
  const run = (...words: string[]) => runHere(join(directory, 'holdfast.yaml'), ...words);
  const backUp = async (...words: string[]) => (await run('backup', 'files', ...words)).json.sources[0];

  beforeAll(async () => {
    vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
    mkdirSync(join(data, 'empty', 'deep'), { recursive: true });
    mkdirSync(join(data, 'invoices', 'old'), { recursive: true });
    for (const name of ['a.pdf', 'b.txt', 'invoices/1.pdf', 'invoices/old/2.txt'])
      writeFileSync(join(data, name), `of ${name}`);
    writePlan(directory, `  files: { type: files, paths: [${data}], exclude: [b.txt], retention: { last: 1 } }`);
    await initialise(directory);
    return () => vi.unstubAllEnvs();
  });

  it('holds what was named and the directories that lead there, and comes back by its snapshot', async () => {
    const { snapshot, outcome, only } = await backUp('--only', '*.pdf', 'invoices/old');
    expect([outcome, only]).toEqual(['complete', ['*.pdf', 'invoices/old']]);
    const to = join(directory, 'part');
    expect((await run('restore', 'files', '--snapshot', snapshot, '--to', to)).exit).toBe(0);
    const restored = readdirSync(join(to, data), { recursive: true }).map(String).sort();
    expect(restored).toEqual(['a.pdf', 'invoices', 'invoices/1.pdf', 'invoices/old', 'invoices/old/2.txt']);
    const { proofs } = (await run('verify', 'files', '--snapshot', snapshot)).json;
    expect(proofs).toMatchObject([{ state: 'proven', snapshot }]);
    const { snapshots } = (await run('snapshots')).json;
    expect(snapshots[0].tags).toContain('part');
  });

  it('is no recovery point: not for restore, status, the rules of retention, nor to replace what is there', async () => {
    const none = await run('restore', 'files', '--to', join(directory, 'none'));
    expect([none.exit, none.json.error.code]).toEqual([1, 'unknown-snapshot']);
    const before = (await run('status')).json.sources[0];
    expect([before.snapshots, before.actual, before.missed]).toEqual([0, {}, ['rpo']]);
    const whole = await backUp();
    const part = await backUp('--only', 'a.pdf');
    const after = (await run('status')).json.sources[0];
    expect([after.snapshots, after.last.snapshot]).toEqual([1, whole.snapshot]);
    expect((await run('verify', 'files')).json.proofs[0].snapshot).toBe(whole.snapshot);
    await run('retain');
    const left = (await run('snapshots')).json.snapshots.map(({ id }: { id: string }) => id);
    expect(left).toEqual([whole.snapshot, part.snapshot]);
    const copy = join(directory, 'copy');
    await run('restore', 'files', '--to', copy);
    const replace = ['--replace', '--confirm', 'copy', '--to', copy];
    const refused = await run('restore', 'files', '--snapshot', part.snapshot, ...replace);
    expect([refused.exit, refused.json.error.code]).toEqual([2, 'bad-usage']);
    expect(existsSync(join(copy, data, 'invoices/1.pdf'))).toBe(true);
  });

  it('fails where a pattern names nothing that the source has', async () => {
    const failed = await backUp('--only', '*.pdf', 'b.txt', 'nowhere');
    expect(failed).toMatchObject({ outcome: 'failed', error: { code: 'path-missing' } });
    expect(failed.error.message).toContain('"b.txt", "nowhere"');
    expect((await run('status')).json.sources[0].failure).toBeUndefined();
  });

  it('spares no work of the next whole one, which builds on the whole one before', async () => {
    await backUp('--only', 'a.pdf');
    const { files, bytesAdded } = await backUp();
    expect([files.unmodified, files.new]).toEqual([3, 0]);
    expect(bytesAdded).toBeLessThan(3000);
  });
});
