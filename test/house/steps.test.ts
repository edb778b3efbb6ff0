import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { STEP_KINDS } from '../../src/plan/runbooks/steps/index.ts';
import { projectRoot } from './fixture-tree.ts';

it('passes every kind of step through the one suite for all of them', () => {
  const files = globSync('{src,test}/**/*.test.ts', { cwd: projectRoot }).map((path) =>
    readFileSync(`${projectRoot}/${path}`, 'utf8'),
  );
  const passed = new Set(
    files.flatMap((text) =>
      [...text.matchAll(/describe(?:Step|Maintenance)\(\s*'([a-z.-]+)'/g)].map(([, kind]) => kind),
    ),
  );
  expect(STEP_KINDS.filter((kind) => !passed.has(kind))).toEqual([]);
});
