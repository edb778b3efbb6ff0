import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { document, holdfast, initialise, scratchDirectory, writePlan } from '../support/cli.ts';

describe('holdfast report verification', () => {
  it('writes what was proven and what was not, in each form', async () => {
    const directory = scratchDirectory();
    for (const name of ['good', 'unproven']) {
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, 'file'), 'content');
    }
    const source = (name: string): string => `  ${name}: { type: files, paths: [${join(directory, name)}] }`;
    const entry = 'verification: [{ name: all, sources: "*", level: checked, schedule: yearly }]';
    writePlan(directory, `${source('good')}\n${source('unproven')}`, entry);
    await initialise(directory);
    await holdfast(directory, ['backup']);
    await holdfast(directory, ['verify', 'good']);
    const figures = document(await holdfast(directory, ['report', 'verification', '--since', '1h ago', '--json']));
    expect(figures.sources).toMatchObject([
      { source: 'good', snapshots: 1, proofs: [{ state: 'proven', checksFailed: [], withinRto: true }] },
      { source: 'unproven', snapshots: 1, proofs: [] },
    ]);
    expect(figures.attention).toEqual(['unproven: nothing of it was proven in this time']);
    const { exit, stdout } = await holdfast(directory, ['report', 'verification', '--format', 'text']);
    expect([exit, stdout]).toEqual([
      0,
      expect.stringMatching(/^Recovery points proven: 1; failed: 0;.* Needs attention: 1\.$/m),
    ]);
    const out = await holdfast(directory, ['report', 'verification', '--format', 'html', '--out', 'week.html']);
    expect(out.stdout).toContain('week.html');
    expect(readFileSync(join(directory, 'week.html'), 'utf8')).toMatch(/^<!DOCTYPE html>.*unproven: nothing of it/s);
    const nowhere = await holdfast(directory, ['report', 'verification', '--out', 'absent/week.md']);
    expect([nowhere.exit, nowhere.stderr]).toEqual([1, expect.stringContaining('no such file or directory')]);
    const scheduled = await holdfast(directory, ['--json', '--no-progress', 'verify', '--scheduled', 'all']);
    expect([scheduled.exit, document(scheduled)]).toMatchObject([
      0,
      { verification: 'all', outcome: 'done', sources: [{ state: 'checked' }, { state: 'checked' }] },
    ]);
    expect((await holdfast(directory, ['verify', 'good', '--scheduled', 'all'])).exit).toBe(2);
    expect((await holdfast(directory, ['verify', '--scheduled', 'none'])).stderr).toContain('It has all.');
    for (const since of ['2099-01-01T00:00:00Z', 'latest', 'never']) {
      expect((await holdfast(directory, ['report', 'verification', '--since', since])).exit).toBe(2);
    }
  });
});
