import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkCoverage } from '../../scripts/playbooks/check.ts';
import { coverageDocument } from '../../scripts/playbooks/document.ts';
import { isSaidBy, quantitiesIn } from '../../scripts/playbooks/quantities.ts';
import { readAndCheck } from '../../scripts/playbooks/read.ts';
import { digestOf, unitsOf } from '../../scripts/playbooks/units.ts';
import { recordMissing } from '../support/missing.ts';
import { projectRoot } from './fixture-tree.ts';

const PLAYBOOK = `# Ways back

It is short. It has two sentences!

- Restore (30 minutes)
2. Replay (1.5 hours)

| what | when |
|---|---|
\`\`\`bash
# by hand
psql
\`\`\`
`;

describe('a playbook', () => {
  it('is split into all that it says, and nothing of it is left out', () => {
    const units = unitsOf(PLAYBOOK);
    expect(units.map(({ kind, text, line }) => `${line} ${kind} ${text}`)).toEqual([
      '1 heading Ways back',
      '3 sentence It is short.',
      '3 sentence It has two sentences!',
      '5 item Restore (30 minutes)',
      '6 item Replay (1.5 hours)',
      '8 row | what | when |',
      '11 comment by hand',
      '10 code psql',
    ]);
    expect(() => unitsOf('```bash\n')).toThrow('has no end');
  });

  it.each([
    ['2.5 hours', '2h30m', true],
    ['2.5 hours', '2 h 30 min', true],
    ['72-hour', '3d', true],
    ['0-30 min', 'after: 0m, then 30m', true],
    ['2:00 AM', 'daily at 02:00', true],
    ['2:00 PM', 'daily at 02:00', false],
    ['>20%', '20%', true],
    ['20%', '20', false],
    ['30 minutes', '30h', false],
    ['P1', 'p1', true],
    ['60+ min', '1h', true],
  ])('says %s as a plan does: %s, %s', (words, plan, same) => {
    const said = quantitiesIn(plan);
    expect(quantitiesIn(words).every((each) => isSaidBy(each, said))).toBe(same);
  });
});

describe('its coverage', () => {
  const plan = { name: 'small', runbooks: { back: { steps: [{ id: 'restore', do: 'restore', within: '2h' }] } } };
  const step = { step: 'back.restore' };
  const entries = (changes: Record<number, object> = {}) =>
    unitsOf(PLAYBOOK).map(({ kind, text }, index) => ({
      digest: digestOf(text),
      figures: quantitiesIn(text).map(({ written }) => written),
      ...(kind === 'item' ? { ...step, together: true } : { plan: 'name' }),
      ...changes[index],
    }));
  const problems = (all: object[], text = PLAYBOOK) => {
    const coverage = coverageDocument.parse({ 'a.md': { example: 'small.yaml', sections: { 'Ways back': all } } });
    return checkCoverage(projectRoot, coverage, new Map([['small.yaml', plan]]), new Map([['a.md', text]])).problems;
  };

  it('has no gap where each unit is answered, and budgets together make up that of a step', () => {
    expect(problems(entries())).toEqual([]);
  });

  it('names what nothing answers, what is other than it was, and what is not there any more', () => {
    expect(problems(entries().slice(0, -1))[0]).toMatch(/^a\.md:10: nothing answers this code/);
    expect(problems(entries(), PLAYBOOK.replace('short', 'long'))[0]).toMatch(/^a\.md:3: this sentence is not what/);
    expect(problems([...entries(), { digest: '000000000000', plan: 'name' }])).toEqual([
      'a.md: Ways back, 9: is not in the playbook',
    ]);
  });

  it('names targets that do not exist, and entries without any', () => {
    const wrong = {
      ...{ plan: 'nam', step: 'back.restor', command: 'restor' },
      test: ['test/house/coverage.test.ts: is not there', 'test/house/none.test.ts: x'],
    };
    expect(problems(entries({ 0: wrong })).map((each) => each.replace('a.md: Ways back, 1: ', ''))).toEqual([
      'the example has not the key nam',
      'the example has not the step back.restor',
      'there is no command restor',
      'there is no test test/house/coverage.test.ts: is not there',
      'there is no test test/house/none.test.ts: x',
    ]);
    expect(problems(entries({ 0: { plan: undefined } }))).toEqual(['a.md: Ways back, 1: nothing answers it']);
  });

  it('names figures that the unit has not, and numbers of it that are not listed', () => {
    expect(problems(entries({ 3: { figures: ['40 minutes'] } }))).toEqual([
      'a.md:5: its figures are not those of the item: 30 minutes',
      'a.md:5: its figures are not those of the item: 40 minutes',
    ]);
  });

  it('names numbers that the plan does not say', () => {
    expect(problems(entries({ 3: { together: false } }))).toContain('a.md:5: what answers it does not say 30 minutes');
    expect(problems(entries(), PLAYBOOK.replace('1.5 hours', '2 hours'))[0]).toMatch(/^a\.md:6: this item is not/);
  });
});

describe('coverage.yaml of the examples', () => {
  const directory = join(projectRoot, '..', 'shared', 'playbooks');
  const { entries, problems, hasPlaybooks, units } = readAndCheck(projectRoot, directory);

  it('points at what exists, and has no gap where the playbooks are at hand', () => {
    if (!hasPlaybooks)
      recordMissing('test/house/coverage.test.ts', 'the playbooks: only that targets exist was checked');
    expect(problems).toEqual([]);
    expect(entries).toBeGreaterThan(200);
    expect(units).toBe(existsSync(directory) ? entries : 0);
  });
});
