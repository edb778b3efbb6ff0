import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Target } from '../../src/foundation/target.ts';
import { createGitSource } from '../../src/source/git/index.ts';
import { bareRepository, commit, git, namesIn } from '../support/git.ts';
import { noise } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { describeSource, type SourceUnderTest } from '../support/source-conformance.ts';

const directoryOf = (place: Target): string => (place.kind === 'directory' ? place.path : '');

if (requires('git'))
  describeSource('a git repository', async (): Promise<SourceUnderTest> => {
    let living = bareRepository();
    const source = (url: () => string) =>
      createGitSource({
        ...{ name: 'code', variables: process.env, validate: [], version: '0.0.0' },
        address: async () => ({ protocol: 'path', url: url() }),
        credentials: async () => undefined,
      });
    return {
      async source(amount) {
        rmSync(living, { recursive: true });
        living = bareRepository();
        if (amount !== 'nothing') {
          const first = commit(living, 'refs/heads/main', { a: 'one', 'b/c': 'two' });
          commit(living, 'refs/heads/main', { a: amount === 'much' ? noise(8_000_000) : 'three' }, { parent: first });
          git(living, 'tag', '-a', '-m', 'first', 'v1', first);
        }
        const url = living;
        return source(() => url);
      },
      gone: () => source(() => join(living, 'not-there')),
      details: { head: { ref: 'refs/heads/main' }, refs: 2, keptRefs: 0, objects: 9 },
      place: async () => ({ kind: 'directory', path: join(mkdtempSync(join(tmpdir(), 'place-')), 'new') }),
      wrongPlaces: [{ kind: 'database', url: 'postgres://localhost/none', label: 'a database', sandbox: false }],
      async occupy(place) {
        mkdirSync(directoryOf(place));
        writeFileSync(join(directoryOf(place), 'other'), 'of somebody else');
      },
      async contents(place) {
        const path = place === undefined ? living : directoryOf(place);
        if (existsSync(join(path, 'other'))) return ['other'];
        const objects = git(path, 'rev-list', '--objects', '--all', '--no-object-names').split('\n').sort();
        return [namesIn(path), objects];
      },
      async alter(place) {
        commit(directoryOf(place), 'refs/heads/main', { a: 'other' });
      },
    };
  });
