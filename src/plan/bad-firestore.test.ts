import { describe, expect, test } from 'vitest';
import { linesOfSource } from '../../test/support/bad-plan.ts';

describe('a Firestore database', () => {
  const PROJECT = ['type: firestore', 'project: omni'];

  test('takes what belongs to it', () => {
    expect(
      linesOfSource(
        ...PROJECT,
        'database: other',
        'emulator: localhost:8080',
        'collections: [companies, users]',
        'budget: { reads: 100000, cost: 2.5 }',
        'prices: { reads: 0.03 }',
        'validate: [{ name: a, collection: companies/*/deals, count: { atLeast: 1, atMost: 9 } }, { name: b, exec: [./x] }]',
      ),
    ).toEqual([]);
  });

  test.each([
    ['collections: []', '9:18: sources.db.collections: found a list, expected at least one collection'],
    [
      'collections: [a/b]',
      '9:19: sources.db.collections.0: found "a/b", expected the name of a collection such as companies',
    ],
    ['method: export', '9:13: sources.db.method: found "export", expected documents or managed'],
    ['method: managed', '9:13: sources.db.method: with managed, "bucket" says where exports go'],
    ['bucket: gs://omni-exports', '9:13: sources.db.bucket: a bucket is for method: managed'],
    ['budget: { reads: 1.5 }', '9:22: sources.db.budget.reads: found the number 1.5, expected a whole number'],
    [
      'emulator: http://x',
      '9:15: sources.db.emulator: found "http://x", expected a host and port such as localhost:8080',
    ],
    ['validate: [{ name: a }]', '9:16: sources.db.validate.0: a check has either "collection" with "count", or "exec"'],
    ['validate: [{ name: a, collection: x }]', '9:16: sources.db.validate.0: "collection" and "count" belong together'],
    [
      'validate: [{ name: a, collection: x, count: {} }]',
      '9:49: sources.db.validate.0.count: a count has "atLeast", "atMost" or both',
    ],
    [
      'validate: [{ name: a, collection: x, count: { atLeast: 2, atMost: 1 } }]',
      '9:49: sources.db.validate.0.count: "atLeast" is more than "atMost": no count can be both',
    ],
  ])('%s', (line, problem) => {
    expect(linesOfSource(...PROJECT, line)).toEqual([`holdfast.yaml:${problem}`]);
  });
});
