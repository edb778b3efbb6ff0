import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mirroredWorkspace, plannedFiles } from '../../../test/support/mirrored.ts';
import { testDirectory } from '../../../test/support/repository.ts';
import type { GroupCheck } from '../../plan/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { type HeldSandboxes, runGroupChecks } from './group-checks.ts';

type Place = { kind: string; url?: string; path?: string };

/** Files that live in one directory and were restored to another one, and a database that names these. */
function restoredBesideLiving(named: readonly string[]) {
  const [living, restored] = [testDirectory(), testDirectory()];
  mkdirSync(join(restored, living), { recursive: true });
  const held = new Map<string, { source: { type: string; query?: () => readonly string[] }; target: Place }>([
    ['db', { source: { type: 'postgres', query: () => named }, target: { kind: 'database', url: 'postgres://x' } }],
    ['uploads', { source: { type: 'files' }, target: { kind: 'directory', path: restored } }],
  ]);
  const workspace = mirroredWorkspace({ main: new MemoryStore() }, plannedFiles('uploads', living));
  const run = (check: GroupCheck) => runGroupChecks(workspace, [check], held as unknown as HeldSandboxes);
  return { held, living, at: (path: string) => join(restored, living, path), run };
}

const EXISTS: GroupCheck = {
  ...{ kind: 'exists', name: 'there', sql: { source: 'db', query: 'q' }, existsIn: { source: 'uploads' } },
};

describe('files that a database names', () => {
  it('are not there where a link leads from what was restored to the living', async () => {
    const { living, at, run } = restoredBesideLiving(['old/a', 'new/a']);
    const archive = join(testDirectory(), 'archive');
    mkdirSync(archive);
    writeFileSync(join(archive, 'a'), '');
    mkdirSync(at('2026'));
    writeFileSync(at('2026/a'), '');
    symlinkSync(archive, at('old'));
    symlinkSync(join(living, '2026'), at('new'));
    const [check] = await run(EXISTS);
    expect(check).toMatchObject({ result: 'failed', detail: expect.stringMatching(/^1 of 2 .*: old\/a$/) });
  });

  it('are there behind links within what was restored, and links that lead nowhere end', async () => {
    const { at, run } = restoredBesideLiving(['a/b/../c', 'back/c', 'link', 'round/x']);
    mkdirSync(at('a/b'), { recursive: true });
    writeFileSync(at('a/c'), '');
    symlinkSync('a/b/..', at('back'));
    symlinkSync('nowhere', at('link'));
    symlinkSync('round', at('round'));
    const [check] = await run(EXISTS);
    expect(check?.detail).toMatch(/^1 of 4 .*: round\/x$/);
  });
});

describe('a program that is given all of a group', () => {
  const check = (...exec: string[]): GroupCheck => ({ kind: 'exec', name: 'program', exec });

  it('is quoted where it fails, but not where secrets came back beside it', async () => {
    const { run, held } = restoredBesideLiving([]);
    const failing = check('sh', '-c', 'cat "${sandbox.uploads}/file" >&2; exit 1');
    writeFileSync(join(held.get('uploads')!.target.path!, 'file'), 'what it said');
    expect(await run(failing)).toMatchObject([{ result: 'failed', detail: expect.stringContaining('what it said') }]);
    held.get('uploads')!.source.type = 'secrets';
    const [quiet] = await run(failing);
    expect(quiet).toMatchObject({ name: 'validate: program', result: 'failed' });
    expect(quiet?.detail).not.toContain('what it said');
  });

  it('is not run where a sandbox that it names did not come back', async () => {
    const { run } = restoredBesideLiving([]);
    expect(await run(check('sh', '-c', 'exit 1', '${sandbox.other}'))).toMatchObject([{ result: 'not-provable' }]);
    expect(await run(check('test', '${sandbox.db}', '=', 'postgres://x'))).toMatchObject([{ result: 'passed' }]);
  });
});
