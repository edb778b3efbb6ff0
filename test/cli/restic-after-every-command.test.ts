import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { allCommands } from '../../src/cli/registry.ts';
import { newSigningKey } from '../../src/evidence/index.ts';
import { document, environment, holdfast, initialise, PASSWORD, type Ran } from '../support/cli.ts';
import { noise } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';

/**
 * Whatever command of Holdfast has written to a repository, stock restic finds nothing wrong with it and sees the same
 * snapshots. A command that writes and is not in the table fails the test.
 */

const ARCHIVE_PASSWORD = 'the password of the archive';
const NEW_PASSWORD = 'a new one';

interface Place {
  directory: string;
  /** Id of a key of `main` that is not in use. */
  spareKey: string;
}

interface Case {
  words: (place: Place) => string[];
  /** What happens to the directory before. */
  before?: (place: Place) => unknown;
  /** What opens `main` afterwards, where that is another password. */
  password?: string;
  /** Its exit code, 0 by default. */
  exit?: number;
  /** What it says beside its result, nothing by default. */
  said?: RegExp;
}

/** Every command that writes, or why it is not to be run here. */
const WRITING: Record<string, Case | { elsewhere: string }> = {
  init: { words: () => ['init'], before: ({ directory }) => rmSync(join(directory, 'archive'), { recursive: true }) },
  // It puts a lock into each repository, to see whether it can.
  doctor: { words: () => ['doctor'] },
  backup: { words: () => ['backup'] },
  follow: { elsewhere: 'it needs a server, and test/postgres/follow.test.ts has stock restic look at what it wrote' },
  serve: {
    elsewhere: 'it does not end by itself, and test/daemon/serve.test.ts has stock restic look at what it wrote',
  },
  ls: { words: () => ['ls', 'latest'] },
  hold: { words: () => ['hold', 'latest', '--why', 'evidence'] },
  unhold: { elsewhere: 'it writes what hold does, an event of the ledger' },
  suspect: { elsewhere: 'it writes what hold does, an event of the ledger' },
  unsuspect: { elsewhere: 'it writes what hold does, an event of the ledger' },
  diff: { words: () => ['diff', 'latest', 'latest'] },
  history: { words: () => ['history', 'files'] },
  restore: { words: () => ['restore', 'files', '--to', 'restored'] },
  verify: { words: () => ['verify'] },
  // A file came after the newest snapshot.
  compare: { words: () => ['compare', 'files'], exit: 4 },
  copy: { words: () => ['copy', '--from', 'main', '--to', 'archive'] },
  check: { words: () => ['check', '--read-data'] },
  repair: {
    words: () => ['repair', '--read-data'],
    before: ({ directory }) => rmSync(join(directory, 'main', 'index'), { recursive: true }),
  },
  retain: { words: () => ['retain'] },
  'ledger export': { words: () => ['ledger', 'export'] },
  'ledger checkpoint': {
    words: () => ['ledger', 'checkpoint', 'main'],
    before: signed,
  },
  'evidence export': { words: () => ['evidence', 'export'], before: signed },
  'evidence rotate': { words: () => ['evidence', 'rotate'], before: signed },
  'evidence revoke': { elsewhere: 'it writes what `evidence rotate` does, events of the ledger' },
  prune: {
    words: () => ['prune'],
    before: ({ directory }) => restic(join(directory, 'main'), ['forget', 'latest']),
  },
  replicate: { words: () => ['replicate'], before: mirrored },
  'repository promote': {
    elsewhere: 'test/cli/mirrors.test.ts has stock restic look at the mirror and at what it was of',
  },
  'alert mute': { words: () => ['alert', 'mute', 'rpo-breach', '--for', '1h', '--why', 'known'] },
  'alert ack': { elsewhere: 'it writes what `alert mute` does' },
  'alert test': { elsewhere: 'it writes what `alert mute` does' },
  'plan apply': { words: () => ['plan', 'apply', '-m', 'first'] },
  approve: { elsewhere: 'it writes what hold does, an event of the ledger' },
  'review record': { elsewhere: 'it writes what hold does, an event of the ledger' },
  drill: { elsewhere: 'it writes what `recover` does, events of the ledger' },
  recover: {
    words: () => ['recover', 'noted'],
    said: /^incident \w+ is open: noted/,
    before: ({ directory }) =>
      appendFileSync(
        join(directory, 'holdfast.yaml'),
        'runbooks: { noted: { scenario: Something has happened, steps: [{ id: say, do: note, text: it }] } }\n',
      ),
  },
  'incident approve': { elsewhere: 'it writes what `recover` does, events of the ledger' },
  'incident done': { elsewhere: 'it writes what `recover` does, events of the ledger' },
  'incident answer': { elsewhere: 'it writes what `recover` does, events of the ledger' },
  'incident note': { elsewhere: 'it writes what `recover` does, events of the ledger' },
  'incident ack': { elsewhere: 'it writes what `recover` does, events of the ledger' },
  'incident breach': { elsewhere: 'it writes what `recover` does, events of the ledger' },
  'incident resume': { elsewhere: 'it writes what `recover` does' },
  'incident abort': { elsewhere: 'it writes what `recover` does, events of the ledger' },
  unlock: { words: () => ['unlock', '--all'] },
  'key add': { words: () => ['key', 'add', '--repository', 'main'] },
  'key remove': { words: ({ spareKey }) => ['key', 'remove', spareKey, '--repository', 'main'] },
  'key passwd': { words: () => ['key', 'passwd', '--repository', 'main'], password: NEW_PASSWORD },
  kit: { words: () => ['kit'] },
  'kit check': { elsewhere: 'it writes what hold does, an event of the ledger' },
  rescue: { elsewhere: 'it writes what `restore` does' },
  'token add': { words: () => ['token', 'add', 'ci', '--role', 'viewer'] },
  'token revoke': {
    words: () => ['token', 'revoke', 'ci'],
    before: ({ directory }) => run(directory, ['token', 'add', 'ci', '--role', 'viewer']),
  },
  demo: { elsewhere: 'its repository is its own, and stock restic looks at it at its end' },
};

/** Gives the plan a signing key. */
function signed({ directory }: Place): void {
  writeFileSync(join(directory, 'signing.pem'), newSigningKey(), { mode: 0o600 });
  appendFileSync(join(directory, 'holdfast.yaml'), 'ledger: { signingKey: { file: signing.pem } }\n');
}

/** Adds a mirror to the plan. */
function mirrored({ directory }: Place): void {
  const plan = join(directory, 'holdfast.yaml');
  const mirror = '  eu: { store: ./eu, mirrorOf: main }\nsources:';
  writeFileSync(plan, readFileSync(plan, 'utf8').replace('sources:', mirror));
}

function run(directory: string, words: string[], password = PASSWORD): Promise<Ran> {
  const variables = { ARCHIVE_PASSWORD, HOLDFAST_NEW_PASSWORD: NEW_PASSWORD, HOLDFAST_PASSWORD: password };
  return holdfast(directory, words, environment(variables));
}

/** Two repositories, of which `main` has a snapshot of each program and a spare password. */
async function prepare(): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), 'every-command-'));
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'large'), noise(3 << 20));
  writeFileSync(
    join(directory, 'holdfast.yaml'),
    `version: 1
name: test
repositories:
  main: { store: ./main, password: { env: HOLDFAST_PASSWORD } }
  archive: { store: ./archive, password: { env: ARCHIVE_PASSWORD } }
sources:
  files: { type: files, paths: [${directory}/data], repository: main, retention: { last: 1 } }
`,
  );
  await initialise(directory, 'main');
  await initialise(directory, 'archive', ARCHIVE_PASSWORD);
  for (const words of [['backup'], ['backup'], ['key', 'add', '--repository', 'main']]) {
    const ran = await run(directory, words);
    expect(ran.exit, ran.stderr).toBe(0);
  }
  writeFileSync(join(directory, 'data', 'more'), noise(1 << 20, 2));
  restic(join(directory, 'main'), ['backup', join(directory, 'data')]);
  const [{ keys }] = document(await run(directory, ['key', 'list', '--repository', 'main', '--json'])).repositories;
  const spareKey = keys.find(({ current }: { current: boolean }) => !current).id;
  return { directory, spareKey };
}

/** @throws unless restic finds nothing wrong in the changed repositories, and the same snapshots as Holdfast */
async function expectResticAgrees(directory: string, mainPassword: string, before?: string): Promise<void> {
  for (const [repository, password] of [
    ['main', mainPassword],
    ['archive', ARCHIVE_PASSWORD],
  ] as const) {
    if (before !== undefined && isSame(join(before, repository), join(directory, repository))) continue;
    restic(join(directory, repository), ['check', '--read-data'], { password });
    const theirs = JSON.parse(restic(join(directory, repository), ['snapshots', '--json'], { password }).output);
    const listed = await run(directory, ['snapshots', '--repository', repository, '--json'], mainPassword);
    const idsOf = (snapshots: { id: string }[]): string[] => snapshots.map(({ id }) => id).sort();
    expect(idsOf(theirs)).toEqual(idsOf(document(listed).snapshots));
  }
}

/** Whether two directories hold the same files with the same bytes. */
function isSame(one: string, other: string): boolean {
  return spawnSync('diff', ['-r', one, other]).status === 0;
}

describe('the table of commands that write', () => {
  it('has every command of the registry that writes, and no other', async () => {
    const writing = (await allCommands()).filter(({ writes }) => writes).map(({ name }) => name);
    expect(Object.keys(WRITING).sort()).toEqual(writing.sort());
  });
});

describe.skipIf(!requires('restic'))('what does not say that it writes', () => {
  it('leaves every repository as it is, byte for byte', async () => {
    const { directory } = await prepare();
    const before = mkdtempSync(join(tmpdir(), 'every-command-'));
    for (const name of ['main', 'archive']) cpSync(join(directory, name), join(before, name), { recursive: true });
    const reading = (await allCommands()).filter((each) => !each.writes && !each.arguments?.includes('<'));
    expect(reading.length).toBeGreaterThan(15);
    for (const { name } of reading) {
      // Some have nothing to say of this plan, and fail.
      await run(directory, name.split(' '));
      for (const repository of ['main', 'archive']) {
        expect([name, isSame(join(before, repository), join(directory, repository))]).toEqual([name, true]);
      }
    }
  });
});

describe.skipIf(!requires('restic'))('stock restic finds nothing wrong', () => {
  let place: Place;

  beforeAll(async () => {
    place = await prepare();
  });

  it('before any of them', () => expectResticAgrees(place.directory, PASSWORD));

  const cases = Object.entries(WRITING).flatMap(([name, each]) => ('words' in each ? [[name, each] as const] : []));
  it.each(cases)('after holdfast %s', async (_, { words, before, password = PASSWORD, exit = 0, said = /^$/ }) => {
    const directory = mkdtempSync(join(tmpdir(), 'every-command-'));
    cpSync(place.directory, directory, { recursive: true });
    await before?.({ ...place, directory });
    // On a busy machine, long work shows how far it is.
    const ran = await run(directory, ['--no-progress', ...words({ ...place, directory })]);
    expect(ran.stderr).toMatch(said);
    expect(ran.exit).toBe(exit);
    await expectResticAgrees(directory, password, place.directory);
    expect(isSame(join(place.directory, 'data'), join(directory, 'data'))).toBe(true);
  });
});
