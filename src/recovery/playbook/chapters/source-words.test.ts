import { expect, it } from 'vitest';
import type { Source } from '../../../plan/index.ts';
import { subjectWords } from './source-words.ts';

it('where files are reads as a sentence, whether the plan says it or a variable does', () => {
  const common = { name: 'a', repository: 'main', objectives: {}, validate: [] };
  const files = (...paths: (string | { env: string })[]): string =>
    subjectWords({ ...common, type: 'files', paths, exclude: ['*.tmp'] } as Source);
  expect(files('/srv/a', '/srv/b')).toBe('files at /srv/a, /srv/b, without *.tmp');
  expect(files({ env: 'DATA' })).toBe('files named by the environment variable DATA, without *.tmp');
  expect(files('/srv/a', { env: 'DATA' })).toContain('files at /srv/a and named by the environment variable DATA,');
});
