import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GOES_ON } from '../../src/cli/failure-text.ts';
import { allCommands } from '../../src/cli/registry.ts';
import type { ApiContext } from '../../src/daemon/api/context.ts';
import { listSnapshots } from '../../src/daemon/api/routes/snapshots.ts';
import { getStatus } from '../../src/daemon/api/routes/status.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { adapters } from '../../src/main/adapters.ts';
import { Workspace } from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { openRepository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { document, environment, holdfast, initialise, PASSWORD } from '../support/cli.ts';
import { ledgerOf } from '../support/repository.ts';

/** What each command shows of the repository that is there, and how the one that is away is named on its line. */
const COMMANDS: Record<string, { shows: object; named?: string; only?: string }> = {
  status: { shows: { sources: [{ source: 'here', repository: 'eu' }] } },
  snapshots: {
    shows: { snapshots: expect.arrayContaining([expect.objectContaining({ repository: 'eu' })]) },
    named: '--repository us',
  },
  check: { shows: { repositories: [{ repository: 'eu', clean: true }] }, named: 'us' },
  retain: { only: '--dry-run', shows: { sources: [{ source: 'here', repository: 'eu' }] }, named: 'there' },
  prune: { only: '--dry-run', shows: { repositories: [{ repository: 'eu' }] }, named: 'us' },
  'ledger verify': { shows: { repositories: [{ repository: 'eu', state: 'consistent' }] }, named: '--repository us' },
  'ledger log': {
    shows: { events: expect.arrayContaining([expect.objectContaining({ repository: 'eu' })]) },
    named: '--repository us',
  },
  unlock: { shows: { repositories: [{ repository: 'eu', removed: [], left: [] }] }, named: 'us' },
  'key list': { shows: { repositories: [{ repository: 'eu', keys: [{ current: true }] }] }, named: '--repository us' },
};

const site = createServer((_, response) => response.end('up'));
afterAll(() => void site.close());

const directory = mkdtempSync(join(tmpdir(), 'away-'));
const env = environment({
  US_PASSWORD: PASSWORD,
  XDG_STATE_HOME: join(directory, 'state'),
  XDG_CACHE_HOME: join(directory, 'cache'),
});
const run = (...words: string[]) => holdfast(directory, words, env);
const away = (name: string): void => renameSync(join(directory, name), join(directory, `${name}-away`));
const back = (name: string): void => renameSync(join(directory, `${name}-away`), join(directory, name));

beforeAll(async () => {
  await once(site.listen(0, '127.0.0.1'), 'listening');
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'note.txt'), 'remember');
  writeFileSync(
    join(directory, 'holdfast.yaml'),
    `version: 1
name: regions
repositories:
  eu: { store: ./eu, password: { env: HOLDFAST_PASSWORD } }
  us: { store: ./us, password: { env: US_PASSWORD } }
sources:
  here: { type: files, paths: [${directory}/data], repository: eu, retention: { last: 1 } }
  there: { type: files, paths: [${directory}/data], repository: us, retention: { last: 1 } }
services:
  web: { http: 'http://127.0.0.1:${(site.address() as AddressInfo).port}/' }
`,
  );
  for (const name of ['us', 'eu']) await initialise(directory, name);
  for (const words of [['backup'], ['backup']]) expect((await run(...words)).exit).toBe(0);
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

it('shows in `services` what the ledger of the other knows, and names the one that is away', async () => {
  const opened = await openRepository(createLocalStore(join(directory, 'eu')), PASSWORD);
  const yesterday = new Date(Date.now() - 24 * 3_600_000).toISOString().slice(0, 10);
  await ledgerOf(opened).append('watch.summarised', {
    ...{ kind: 'service', name: 'web', day: `${yesterday}T00:00:00.000Z` },
    hours: [[4, 1, 9, 9, 9]],
  });
  const ran = await run('services', '--json');
  expect(ran.exit, ran.stdout).toBe(1);
  expect(document(ran)).toMatchObject({
    services: [{ service: 'web', state: 'up', availability: { samples: 4, share: 0.75 } }],
    failures: [{ repository: 'us', error: { code: 'no-repository', hint: expect.any(String) } }],
  });
  expect((await run('services')).stdout).toMatch(
    /ledger of us .*there is no repository at .*\/us\n {2}Run `holdfast init`/,
  );
});

it.each([getStatus, listSnapshots])(
  'is one error in the API, which leaves nothing out: $id',
  async ({ run: answer }) => {
    const environmentOfServe = {
      clock: systemClock,
      variables: env,
      version: '0.0.0',
      signal: new AbortController().signal,
    };
    const loaded = await loadPlan({ cwd: directory, env });
    const workspace = new Workspace(loaded, { ...environmentOfServe, progress: () => noProgress, adapters });
    const context = { daemon: { workspace: () => workspace } } as unknown as ApiContext;
    await expect(answer({ query: {} } as never, context as never)).rejects.toMatchObject({ code: 'no-repository' });
  },
);

const listed = async (): Promise<string[]> =>
  document(await run('snapshots', '--json')).snapshots.map(({ id }: { id: string }) => id);

it('goes on whatever keeps a repository from being opened', async () => {
  const { US_PASSWORD: _, ...without } = env;
  for (const words of [['status'], ['retain', '--dry-run'], ['retain'], ['prune']]) {
    const ran = await holdfast(directory, [...words, '--json'], without);
    expect(ran.exit, words.join(' ')).toBe(1);
    expect(document(ran)).toMatchObject({ failures: [{ repository: 'us', error: { code: 'secret-unavailable' } }] });
  }
});

it('removes what goes from the other, where that has the incidents', async () => {
  expect((await run('backup', 'here')).exit).toBe(0);
  expect((await listed()).length).toBeGreaterThan(1);
  expect((await run('retain')).exit).toBe(1);
  expect((await run('prune')).exit).toBe(1);
  expect(await listed()).toHaveLength(1);
});

it('removes nothing while the ledger that is away is the one that has the incidents', async () => {
  back('us');
  away('eu');
  try {
    for (const words of [['retain'], ['prune'], ['prune', 'us', 'eu']]) {
      const ran = await run(...words, '--json');
      expect(ran.exit).toBe(1);
      const codes = document(ran).failures.map(({ error }: { error: { code: string } }) => error.code);
      expect(codes.sort(), words.join(' ')).toEqual(['incident-unknown', 'no-repository']);
    }
    expect(document(await run('retain', 'there', '--json'))).toMatchObject({ error: { code: 'incident-unknown' } });
    expect(await listed()).toHaveLength(2);
  } finally {
    back('eu');
    away('us');
  }
});

describe('status, where a repository is lost', () => {
  const lost = mkdtempSync(join(tmpdir(), 'lost-'));
  let here: string;
  let there: string;
  const look = (...words: string[]) => holdfast(lost, ['status', ...words], env);
  beforeAll(async () => {
    writeFileSync(
      join(lost, 'holdfast.yaml'),
      `version: 1
name: regions
repositories:
  us: { store: ./us, password: { env: US_PASSWORD } }
  eu: { store: ./eu, password: { env: HOLDFAST_PASSWORD } }
  copy: { store: ./copy, mirrorOf: us }
  gone: { store: ./gone, mirrorOf: us }
sources:
  there: { type: files, paths: [${directory}/data], repository: us }
  here: { type: files, paths: [${directory}/data], repository: eu }
`,
    );
    for (const name of ['us', 'eu']) await initialise(lost, name);
    for (const source of ['here', 'there']) expect((await holdfast(lost, ['backup', source], env)).exit).toBe(0);
    const { snapshots } = document(await holdfast(lost, ['snapshots', '--json'], env));
    const idOf = (name: string) => snapshots.find(({ repository }: { repository: string }) => repository === name).id;
    [here, there] = [idOf('eu'), idOf('us')];
  });

  it('was meant by `latest` while it had the newest', async () => {
    const held = await holdfast(lost, ['hold', 'latest', '--why', 'it is the newest', '--json'], env);
    expect(document(held)).toMatchObject({ snapshot: there, failures: [] });
  });

  it('once it was opened, shows the others and names it', async () => {
    const ledger = join(lost, 'us', 'holdfast', 'checkpoints');
    mkdirSync(join(lost, 'us', 'holdfast'), { recursive: true });
    writeFileSync(ledger, 'no directory');
    const ran = await look('--json');
    rmSync(ledger);
    expect(ran.exit, ran.stdout).toBe(1);
    const { sources, failures } = document(ran);
    expect(sources).toMatchObject([{ source: 'here' }]);
    expect(failures).toMatchObject([{ repository: 'us', sources: ['there'] }]);
  });

  it('and away, says what its mirrors hold', async () => {
    for (const name of ['us', 'gone']) renameSync(join(lost, name), join(lost, `${name}-away`));
    const { mirrors } = document(await look('--json'));
    expect(mirrors).toEqual([
      { mirror: 'copy', of: 'us', alone: { snapshots: 1, newest: expect.any(String) } },
      { mirror: 'gone', of: 'us', error: expect.objectContaining({ code: 'no-repository' }) },
    ]);
    const { exit, stdout } = await look();
    expect(exit).toBe(1);
    expect(stdout).toMatch(/^mirror copy of us: it answers, with 1 snapshot, the newest of .*`--repository copy`$/m);
    expect(stdout).toMatch(/^mirror gone of us: it cannot be looked at: there is no repository/m);
  });

  it('and away, is in the way of no snapshot that another one has', async () => {
    const say = async (...words: string[]) => {
      const ran = await holdfast(lost, [...words, '--json'], env);
      return { exit: ran.exit, said: document(ran) };
    };
    const shortened = here.slice(0, 8);
    expect((await say('ls', shortened)).exit).toBe(0);
    expect(await say('ls', 'latest')).toMatchObject({ exit: 10, said: { error: { code: 'no-repository' } } });
    expect((await say('ls', there)).said.error.message).toMatch(/and us cannot be: there is no repository/);
    const failures = [{ repository: 'us', error: { code: 'no-repository' } }];
    const marked = { exit: 1, said: { snapshot: here, repositories: ['eu'], failures } };
    expect(await say('hold', shortened, '--why', 'a case')).toMatchObject(marked);
    expect(await say('unhold', shortened)).toMatchObject(marked);
    expect(await say('unhold', 'ffff')).toMatchObject({ exit: 10, said: { error: { code: 'no-repository' } } });
    expect(await say('suspect', shortened, '--why', 'odd')).toMatchObject({ exit: 0 });
    expect(await say('unsuspect', shortened, '--why', 'an import')).toMatchObject({ exit: 0 });
    const unlocked = { repositories: [{ repository: 'eu' }], failures };
    expect(await say('unlock', '--all')).toMatchObject({ exit: 1, said: unlocked });
    const { stdout } = await holdfast(lost, ['hold', shortened, '--why', 'a case'], env);
    expect(stdout).toMatch(/Copies of [0-9a-f]{8} in us are what they were: say the same again/);
  });
});

it('holds for every command whose help says so', async () => {
  const saying = (await allCommands()).filter(({ description }) => description?.includes(GOES_ON));
  expect(saying.map(({ name }) => name).sort()).toEqual(Object.keys(COMMANDS).sort());
});
