import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Target } from '../../src/foundation/target.ts';
import { createFilesSource } from '../../src/source/files/index.ts';
import { noise } from '../support/repository.ts';
import { type Amount, describeSource, type SourceUnderTest } from '../support/source-conformance.ts';

const FILES: Record<Amount, Record<string, string | Buffer>> = {
  nothing: {},
  some: { 'a.txt': 'of a', 'inner/b.txt': 'of b', 'inner/deep/c.bin': noise(70_000) },
  much: {
    'large.bin': noise(6_000_000, 'large'),
    ...Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`many/${index % 7}/${index}`, `file ${index}`])),
  },
};

const pathOf = (place: Target): string => (place.kind === 'directory' ? place.path : '');

describeSource('a directory', async (): Promise<SourceUnderTest> => {
  const living = mkdtempSync(join(tmpdir(), 'living-'));
  const newDirectory = (): string => mkdtempSync(join(tmpdir(), 'place-'));
  const filesSource = (path: string) =>
    createFilesSource({ name: 'files', paths: [path], exclude: [], validate: [], version: '0.0.0' });
  const at = (place: Target | undefined): string => (place === undefined ? living : join(pathOf(place), living));
  return {
    async source(amount) {
      rmSync(living, { recursive: true });
      mkdirSync(living);
      for (const [name, content] of Object.entries(FILES[amount])) {
        mkdirSync(dirname(join(living, name)), { recursive: true });
        writeFileSync(join(living, name), content);
      }
      return filesSource(living);
    },
    gone: () => filesSource(join(living, 'not-there')),
    details: { paths: [living], files: 3, bytes: 70_008 },
    place: async () => ({ kind: 'directory', path: newDirectory() }),
    wrongPlaces: [{ kind: 'database', url: 'postgres://localhost/none', label: 'a database', sandbox: false }],
    occupy: async (place) => writeFileSync(join(pathOf(place), 'other'), 'of somebody else'),
    async contents(place) {
      // What somebody else put into a place is a part of it.
      const directory = place !== undefined && readdirSync(pathOf(place)).includes('other') ? pathOf(place) : at(place);
      const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
      return entries
        .map((each) => [each, join(each.parentPath, each.name)] as const)
        .map(([each, path]) => [
          path.slice(directory.length),
          each.isFile() ? readFileSync(path, 'base64') : 'directory',
        ])
        .sort();
    },
    async alter(place) {
      writeFileSync(join(at(place), 'inner/b.txt'), 'of B');
    },
    part: {
      only: ['b.txt'],
      contents: async () => [
        ['/inner', 'directory'],
        ['/inner/b.txt', Buffer.from('of b').toString('base64')],
      ],
    },
  };
});
