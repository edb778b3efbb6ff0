import { mkdirSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { GOES_ON } from '../../src/cli/failure-text.ts';
import { allCommands } from '../../src/cli/registry.ts';
import { document, environment, holdfast, initialise } from '../support/cli.ts';

/** What each command shows of the repository that is there, and how the one that is away is named on its line. */
const COMMANDS: Record<string, { shows: object; named?: string; only?: string }> = {
  status: { shows: { sources: [{ source: 'here', repository: 'eu', snapshots: 2 }] } },
  snapshots: { shows: { snapshots: [{ repository: 'eu' }, { repository: 'eu' }] }, named: '--repository us' },
  check: { shows: { repositories: [{ repository: 'eu', clean: true, snapshots: 2 }] }, named: 'us' },
  retain: { only: '--dry-run', shows: { sources: [{ source: 'here', remove: [{}] }] }, named: 'there' },
  prune: { only: '--dry-run', shows: { repositories: [{ repository: 'eu' }] }, named: 'us' },
  'ledger verify': { shows: { repositories: [{ repository: 'eu', state: 'consistent' }] }, named: '--repository us' },
  unlock: { shows: { repositories: [{ repository: 'eu', removed: [], left: [] }] }, named: 'us' },
  'key list': { shows: { repositories: [{ repository: 'eu', keys: [{ current: true }] }] }, named: '--repository us' },
};

const directory = mkdtempSync(join(tmpdir(), 'away-'));
const env = environment({ XDG_STATE_HOME: join(directory, 'state'), XDG_CACHE_HOME: join(directory, 'cache') });
const run = (...words: string[]) => holdfast(directory, words, env);
const away = (name: string): void => renameSync(join(directory, name), join(directory, `${name}-away`));
const back = (name: string): void => renameSync(join(directory, `${name}-away`), join(directory, name));

beforeAll(async () => {
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'note.txt'), 'remember');
  writeFileSync(
    join(directory, 'holdfast.yaml'),
    `version: 1
name: regions
repositories:
  us: { store: ./us, password: { env: HOLDFAST_PASSWORD } }
  eu: { store: ./eu, password: { env: HOLDFAST_PASSWORD } }
sources:
  here: { type: files, paths: [${directory}/data], repository: eu, retention: { last: 1 } }
  there: { type: files, paths: [${directory}/data], repository: us }
`,
  );
  for (const name of ['us', 'eu']) await initialise(directory, name);
  for (const words of [['backup'], ['backup', 'here']]) expect((await run(...words)).exit).toBe(0);
  away('us');
});

describe.each(Object.entries(COMMANDS))('%s, where one of two repositories is away', (name, { shows, only }) => {
  const words = [...name.split(' '), ...(only === undefined ? [] : [only])];

  it('shows the other, names the one that is away with what to do, and fails', async () => {
    const ran = await run(...words, '--json');
    expect(ran.exit, ran.stdout).toBe(1);
    const { failures, ...shown } = document(ran);
    expect(shown).toMatchObject(shows);
    expect(failures).toMatchObject([{ repository: 'us', error: { code: 'no-repository', hint: expect.any(String) } }]);
    expect(failures).toHaveLength(1);
    const told = await run(...words);
    expect(told.exit).toBe(1);
    expect(told.stdout).toContain(`us: ${failures[0].error.message}`);
    expect(told.stdout).toContain(failures[0].error.hint);
    expect(told.stderr).toBe('');
  });

  it('has one error where all are away', async () => {
    away('eu');
    try {
      const ran = await run(...words, '--json');
      expect(ran.exit).toBe(10);
      expect(document(ran)).toMatchObject({ error: { code: 'no-repository' } });
      for (const each of ['us', 'eu']) expect(document(ran).error.message).toContain(join(directory, each));
    } finally {
      back('eu');
    }
  });
});

const NAMED = Object.entries(COMMANDS).flatMap(([name, { named }]) =>
  named === undefined ? [] : [`${name} ${named}`],
);

it.each(NAMED)('%s has the error of that one for its own', async (words) => {
  const ran = await run(...words.split(' '), '--json');
  expect(ran.exit).toBe(10);
  expect(document(ran)).toMatchObject({ error: { code: 'no-repository' } });
  expect(ran.stderr).toContain('there is no repository');
});

it('removes nothing while the ledger that is away may have an incident that is open', async () => {
  const before = document(await run('snapshots', '--json')).snapshots;
  for (const words of [['retain'], ['prune'], ['prune', 'eu', 'us']]) {
    const ran = await run(...words, '--json');
    expect(ran.exit).toBe(1);
    const codes = document(ran).failures.map(({ error }: { error: { code: string } }) => error.code);
    expect(codes.sort(), words.join(' ')).toEqual(['incident-unknown', 'no-repository']);
  }
  expect(document(await run('retain', 'here', '--json'))).toMatchObject({ error: { code: 'incident-unknown' } });
  expect(document(await run('snapshots', '--json')).snapshots).toEqual(before);
});

it('holds for every command whose help says so', async () => {
  const saying = (await allCommands()).filter(({ description }) => description?.includes(GOES_ON));
  expect(saying.map(({ name }) => name).sort()).toEqual(Object.keys(COMMANDS).sort());
});
