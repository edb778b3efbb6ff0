import { mkdtempSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { bareRepository, commit, git } from '../../../test/support/git.ts';
import { requires } from '../../../test/support/requirements.ts';
import { Git } from './git-program.ts';
import { RepositoryWatch } from './watch.ts';

describe.skipIf(!requires('git'))('a watch of a git repository', () => {
  it('tells of what it names now, of a repository that is away once, and of one that is back', async () => {
    const source = bareRepository();
    const first = commit(source, 'refs/heads/main', { a: '1' });
    const stop = new AbortController();
    const scratchDirectory = mkdtempSync(join(tmpdir(), 'watch-'));
    const runner = await Git.prepare({ scratchDirectory, variables: process.env, signal: stop.signal });
    const told: string[] = [];
    const hear = (what: string): void => void told.push(what);
    let heard = -1;
    /** Waits until it is told behind what was heard before: a change that is seen half done is told twice. */
    const hears = async (what: string): Promise<void> => {
      const find = (): number => told.findIndex((each, index) => index > heard && each.includes(what));
      heard = await vi.waitFor(
        () => {
          expect(find()).toBeGreaterThan(heard);
          return find();
        },
        { timeout: 30_000 },
      );
    };
    let isEnded = false;
    const end = async (): Promise<void> => {
      isEnded = true;
    };
    const remote = { git: runner, address: { protocol: 'path', url: source } as const };
    const context = { onChange: () => hear('change'), note: hear };
    const watch = await RepositoryWatch.begin({ remote, stop, end }, context, 10);
    expect(watch.take()).toEqual(new Set());
    told.length = 0;
    commit(source, 'refs/heads/main', { a: '2' }, { parent: first });
    await hears('change');
    expect(watch.take()).toBe('anywhere');
    await vi.waitFor(() => expect(watch.take()).toEqual(new Set()));
    git(source, 'symbolic-ref', 'HEAD', 'refs/heads/other');
    await hears('change');
    renameSync(source, `${source}.away`);
    await hears('cannot be asked for changes');
    git(`${source}.away`, 'update-ref', 'refs/heads/new', first);
    renameSync(`${source}.away`, source);
    await hears('can be asked for changes again');
    await hears('change');
    expect(watch.take()).toBe('anywhere');
    await watch.close();
    expect(isEnded).toBe(true);
    expect(told.filter((each) => each.includes('cannot'))).toHaveLength(1);
  });
});
