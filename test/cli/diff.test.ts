import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { document, holdfast, initialise, scratchDirectory, writePlan } from '../support/cli.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';

describe('holdfast diff', () => {
  it('says what happened between two snapshots, as restic does', async () => {
    const directory = scratchDirectory();
    const at = (name: string): string => join(directory, 'data', name);
    mkdirSync(at('same'), { recursive: true });
    mkdirSync(at('gone'));
    for (const name of ['same/kept', 'gone/file', 'grows', 'mode', 'turns']) writeFileSync(at(name), name);
    writePlan(directory, `  files: { type: files, paths: [${directory}/data] }`);
    await initialise(directory);
    await holdfast(directory, ['backup']);
    rmSync(at('gone'), { recursive: true });
    writeFileSync(at('grows'), 'much longer than before');
    writeFileSync(at('new ☃'), 'new');
    chmodSync(at('mode'), 0o600);
    rmSync(at('turns'));
    symlinkSync('grows', at('turns'));
    await holdfast(directory, ['backup']);
    const [before, after] = document(await holdfast(directory, ['snapshots', '--json'])).snapshots;
    const ran = await holdfast(directory, ['diff', before.id.slice(0, 8), 'latest', '--json']);
    expect(ran.exit, ran.stderr).toBe(0);
    const result = document(ran);
    expect([result.before, result.after]).toEqual([before.id, after.id]);
    const ours = result.changes
      .filter(({ path }: { path: string }) => path.startsWith(`${directory}/data/`))
      .map(({ kind, path }: { kind: string; path: string }) => `${kind} ${path.slice(directory.length)}`);
    expect(ours.sort()).toEqual([
      'added /data/new ☃',
      'content /data/grows',
      'metadata /data/mode',
      'removed /data/gone',
      'removed /data/gone/file',
      'type /data/turns',
    ]);
    const grown = result.changes.find(({ path }: { path: string }) => path.endsWith('/grows'));
    expect([grown.sizeBefore, grown.sizeAfter]).toEqual([5, 23]);
    expect((await holdfast(directory, ['diff', 'latest', 'latest'])).stdout).toMatch(/0 added, 0 removed, 0 changed/);
    expect((await holdfast(directory, ['diff', 'ffffffff', 'latest'])).exit).toBe(1);
    if (!requires('restic')) return;
    const marks: Record<string, string> = { added: '+', removed: '-', content: 'M', metadata: 'U', type: 'T' };
    const theirs = restic(join(directory, 'repository'), ['diff', '--metadata', before.id, after.id]).output;
    for (const line of ours) {
      const [kind, ...path] = line.split(' ');
      expect(theirs).toMatch(new RegExp(`^\\${marks[kind!]}U?\\s+${directory}${path.join(' ')}/?$`, 'm'));
    }
  });
});
