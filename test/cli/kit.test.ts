/** The recovery kit as a person makes, checks and uses it. */

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { packKit } from '../../src/operations/kit/kit-content.ts';
import { openKit } from '../../src/operations/kit/open-kit.ts';
import { sealKit } from '../../src/operations/kit/sealed-kit.ts';
import { parsePlan } from '../../src/plan/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { document, environment, holdfast, initialise, PASSWORD, type Ran } from '../support/cli.ts';
import { testDirectory, testRepository } from '../support/repository.ts';

/** What a kit of that moment is called once it is put aside. */
const asideName = (time: Date): string => `holdfast-kit-${time.toISOString().replace(/[:-]|\.\d+/g, '')}.age`;
const SECRET_FILE = 'not to be lost';

describe('a recovery kit', () => {
  const directory = testDirectory();
  const kit = join(directory, 'holdfast-kit.age');
  let passphrase: string;
  let shares: string[];

  const runWith = (more: Record<string, string>, ...words: string[]): Promise<Ran> =>
    holdfast(directory, words, environment(more));
  const run = (...words: string[]): Promise<Ran> => runWith({ HOLDFAST_KIT_PASSPHRASE: passphrase }, ...words);
  const checked = async (given = passphrase) => {
    const ran = await runWith({ HOLDFAST_KIT_PASSPHRASE: given }, 'kit', 'check', '--json');
    return { exit: ran.exit, ...document(ran) };
  };

  function writePlan(more: object = {}, ofSources: object = {}, copies: object = {}): void {
    const plan = {
      version: 1,
      name: 'shop',
      objectives: { rpo: '1h', rto: '4h' },
      repositories: {
        main: { store: './repository', password: { env: 'HOLDFAST_PASSWORD' } },
        second: { store: './second', mirrorOf: 'main' },
        ...copies,
      },
      sources: { uploads: { type: 'files', paths: [join(directory, 'uploads')] }, ...ofSources },
      contacts: { oncall: { role: 'On-call engineer', phone: '+1-555-0100' } },
      drills: [{ runbooks: '*', rescue: true, schedule: 'yearly' }],
      ...more,
    };
    writeFileSync(join(directory, 'holdfast.yaml'), JSON.stringify(plan));
  }

  beforeAll(async () => {
    mkdirSync(join(directory, 'uploads'));
    writeFileSync(join(directory, 'uploads', 'a'), SECRET_FILE);
    writePlan();
    await initialise(directory);
    const made = document(await runWith({}, 'kit', '--shares', '3', '--threshold', '2', '--json'));
    shares = made.shares;
    expect([made.bits, made.threshold, made.passphrase]).toEqual([128, 2, undefined]);
    const again = document(await runWith({}, 'kit', '--json'));
    passphrase = again.passphrase;
    expect((await run('backup')).exit).toBe(0);
  }, 60_000);

  it('is written by init, for its owner alone, with a passphrase that is shown once and with no secret on its page', async () => {
    const place = testDirectory();
    writeFileSync(
      join(place, 'holdfast.yaml'),
      JSON.stringify({
        ...{ version: 1, name: 'shop', sources: { etc: { type: 'files', paths: [place] } } },
        repositories: { main: { store: './repository', password: { env: 'HOLDFAST_PASSWORD' } } },
      }),
    );
    const made = document(await holdfast(place, ['init', '--json'], environment()));
    expect(made.kit).toMatchObject({ passphrase: expect.stringMatching(/^(?:[a-z]+-){11}[a-z]+$/), bits: 128 });
    const page = readFileSync(join(place, 'holdfast-kit.md'), 'utf8');
    expect(page).not.toMatch(new RegExp(`${PASSWORD}|${made.kit.passphrase}`));
    expect(page).toContain(made.kit.sha256);
    for (const name of ['holdfast-kit.age', 'holdfast-kit.md', 'holdfast-kit.html']) {
      expect(statSync(join(place, name)).mode & 0o777, name).toBe(0o600);
    }
    const opened = await holdfast(
      place,
      ['kit', 'check'],
      environment({ HOLDFAST_KIT_PASSPHRASE: made.kit.passphrase }),
    );
    expect([opened.exit, opened.stdout], opened.stderr).toEqual([0, expect.stringContaining('current')]);
  });

  it('that cannot be written makes init partial, and undoes nothing', async () => {
    const place = testDirectory();
    const plan = {
      ...{
        version: 1,
        name: 'shop',
        sources: { etc: { type: 'files', paths: [place] } },
        kit: { file: 'no/where.age' },
      },
      repositories: { main: { store: './repository', password: { env: 'HOLDFAST_PASSWORD' } } },
    };
    writeFileSync(join(place, 'holdfast.yaml'), JSON.stringify(plan));
    const ran = await holdfast(place, ['init', '--json'], environment());
    expect([ran.exit, document(ran).kit.error.code]).toEqual([3, 'target-failed']);
    expect(existsSync(join(place, 'repository/config'))).toBe(true);
  });

  it('is current as long as it opens every repository and mirror by its own key', async () => {
    expect(await checked()).toMatchObject({
      exit: 0,
      outcome: 'current',
      repositories: [
        { repository: 'main', result: 'opens' },
        { repository: 'second', result: 'opens' },
      ],
    });
    const log = document(await run('ledger', 'log', '--json')).events;
    const kinds = log.map(({ kind }: { kind: string }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(['kit.made', 'kit.checked']));
  });

  it('hands its keys on to the next one of the same passphrase', async () => {
    const before = document(await run('key', 'list', '--json')).repositories[0].keys.length;
    const made = document(await run('kit', '--json'));
    expect([made.passphrase, made.repositories[0].isNew]).toEqual([undefined, false]);
    expect(document(await run('key', 'list', '--json')).repositories[0].keys).toHaveLength(before);
  });

  it('is shown with its passphrase where no ledger can record that it was made', async () => {
    const place = testDirectory();
    cpSync(directory, place, { recursive: true });
    renameSync(join(place, 'repository/holdfast/ledger'), join(place, 'ledger'));
    writeFileSync(join(place, 'repository/holdfast/ledger'), 'no directory');
    // No key is added: that would have to be recorded as well.
    const given = await holdfast(place, ['kit', '--json'], environment({ HOLDFAST_KIT_PASSPHRASE: passphrase }));
    expect([given.exit, document(given).problems], given.stderr).toEqual([
      3,
      [expect.stringContaining('not recorded in the ledger of main')],
    ]);
  });

  it('is put aside, and not overwritten, by one of another passphrase, also where there is one of the same second', async () => {
    const place = testDirectory();
    cpSync(directory, place, { recursive: true });
    const isKit = (name: string): boolean => name.endsWith('.age');
    const [aside] = readdirSync(place).filter((name) => /^holdfast-kit-\w+\.age$/.test(name));
    const { mtime } = statSync(join(place, aside!));
    for (const name of readdirSync(place).filter(isKit)) utimesSync(join(place, name), mtime, mtime);
    renameSync(join(place, aside!), join(place, asideName(mtime)));
    const before = readdirSync(place)
      .filter(isKit)
      .map((name) => readFileSync(join(place, name), 'latin1'));
    expect((await holdfast(place, ['kit'], environment())).exit).toBe(0);
    const after = readdirSync(place)
      .filter(isKit)
      .map((name) => readFileSync(join(place, name), 'latin1'));
    expect(after).toEqual(expect.arrayContaining(before));
  });

  it('does not open by a wrong passphrase, nor by too few shares, nor damaged', async () => {
    const wrong = passphrase.split('-').reverse().join('-');
    expect(await checked(wrong)).toMatchObject({ exit: 12, error: { code: 'wrong-password' } });
    expect(await checked(shares[0])).toMatchObject({ exit: 12, error: { code: 'too-few-shares' } });
    const whole = readFileSync(kit);
    onTestFinished(() => writeFileSync(kit, whole));
    const flipped = Buffer.from(whole);
    flipped[60]! ^= 1;
    writeFileSync(kit, flipped);
    expect(await checked()).toMatchObject({ exit: 1, error: { code: 'kit-damaged' } });
  });

  it('asks nobody where nobody is', async () => {
    expect(await runWith({}, 'kit', 'check')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('HOLDFAST_KIT_PASSPHRASE'),
    });
  });

  it('opens by enough shares, and lays out what is in it for work by hand', async () => {
    const [aside] = readdirSync(directory).filter((name) => /^holdfast-kit-\w+\.age$/.test(name));
    const to = join(directory, 'opened');
    const given = { HOLDFAST_KIT_PASSPHRASE: `${shares[2]}\n${shares[0]}` };
    expect((await runWith(given, 'kit', 'open', '--kit', aside!, '--to', to)).exit).toBe(0);
    expect(statSync(to).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(to, 'holdfast.yaml'), 'utf8')).toBe(
      readFileSync(join(directory, 'holdfast.yaml'), 'utf8'),
    );
    expect(readFileSync(join(to, 'passwords/second'), 'utf8')).toBe(readFileSync(join(to, 'passwords/main'), 'utf8'));
    expect(await runWith(given, 'kit', 'open', '--kit', aside!, '--to', to)).toMatchObject({ exit: 1 });
  });

  it('is drilled by the plan: everything is proven and brought back to a place that is gone afterwards', async () => {
    const ran = await run('rescue', '--drill', '--json');
    const drilled = document(ran);
    expect([ran.exit, drilled.members[0].proof.state], ran.stderr).toEqual([0, 'proven']);
    expect(existsSync(drilled.members[0].target)).toBe(false);
    const log = document(await run('ledger', 'log', '--kind', 'rescue.finished', '--json')).events;
    expect(log.at(-1).body).toMatchObject({ task: 'drill:rescue-1', outcome: 'done' });
  });

  it('brings everything back from what answers, goes on where it was, and says what is missing', async () => {
    const elsewhere = { store: 's3://shop/second', mirrorOf: 'main', s3: { endpoint: 'http://127.0.0.1:9' } };
    writePlan({}, { late: { type: 'files', paths: [join(directory, 'late')] } }, { elsewhere });
    // No revision comes to where nobody answers.
    expect((await run('plan', 'apply', '-m', 'one more source')).exit).toBe(3);
    renameSync(join(directory, 'second'), join(directory, 'away'));
    onTestFinished(() => renameSync(join(directory, 'away'), join(directory, 'second')));
    const place = testDirectory();
    const rescue = async (...more: string[]) => {
      const words = ['rescue', '--kit', kit, '--to', 'back', '--json', ...more];
      const ran = await holdfast(
        place,
        words,
        environment({ HOLDFAST_PASSWORD: '', HOLDFAST_KIT_PASSPHRASE: passphrase }),
      );
      return { exit: ran.exit, ...document(ran) };
    };
    const first = await rescue();
    expect(first).toMatchObject({
      ...{ exit: 3, outcome: 'partial', planFrom: expect.stringContaining('revision 1') },
      copies: [
        { name: 'main' },
        { name: 'second', reason: expect.stringContaining('no repository') },
        { name: 'elsewhere', reason: expect.stringMatching(/HOLDFAST_RESCUE_ENDPOINT='?http:.*127.0.0.1:9/) },
      ],
      members: [
        { source: 'uploads', outcome: 'complete', from: 'main', isEarlier: false },
        { source: 'late', outcome: 'failed', error: { code: 'unknown-snapshot' } },
      ],
    });
    const file = join(place, 'back/uploads', directory, 'uploads/a');
    expect(readFileSync(file, 'utf8')).toBe(SECRET_FILE);
    expect(readFileSync(join(place, 'back/.holdfast-rescue.json'), 'utf8')).not.toContain(passphrase);
    const words = ['rescue', '--kit', kit, '--to', 'back'];
    const shown = await holdfast(place, words, environment({ HOLDFAST_KIT_PASSPHRASE: passphrase }));
    expect(shown.stdout).toMatch(/rescued in part.*1 of 2 sources/);
    expect(shown.stdout).toMatch(/RTO: .* since .*; 4 h are promised/);
    expect(shown.stderr).toMatch(/main at \S+ answers\nsecond, of main, at \S+ cannot be used: there is no repository/);
    const again = await rescue();
    expect(again).toMatchObject({ exit: 3, at: first.at, since: first.since, members: [{ isEarlier: true }, {}] });
    // What is back of another moment, or was not proven, is not said to be of this one, or proven.
    expect(await rescue('--at', '2h ago')).toMatchObject({ exit: 2, error: { code: 'bad-usage' } });
    const unproven = expect.stringContaining('was not told to prove it');
    expect((await rescue('--prove')).members[0]).toMatchObject({ isEarlier: true, unproven, problems: [unproven] });
    const log = document(await run('ledger', 'log', '--kind', 'rescue.finished', '--json')).events;
    expect(log.slice(-2).map(({ body }: { body: object }) => body)).toMatchObject([
      { outcome: 'partial', sources: [{ source: 'uploads', from: 'main' }, { source: 'late' }] },
      {},
    ]);
  });

  it('brings back what is understood of it where another version wrote its plan, and says what is not', async () => {
    const { content } = await openKit({ file: kit, passphrase });
    const plan = JSON.parse(content.plan.text);
    plan.version = 2;
    plan.sources.uploads.sparkle = true;
    plan.sources.lake = { type: 'lake', url: 'lake://x' };
    const place = testDirectory();
    // Newer than the revision that the ledger has.
    const newer = { ...content, madeAt: new Date(Date.now() + 60_000).toISOString(), madeWith: '9.0.0' };
    const rescue = async (text: string) => {
      const other = { ...newer, plan: { ...content.plan, text } };
      writeFileSync(join(place, 'other.age'), await sealKit(packKit(other, []), passphrase));
      const words = ['rescue', '--kit', 'other.age', '--to', 'back', '--json'];
      const ran = await holdfast(place, words, environment({ HOLDFAST_KIT_PASSPHRASE: passphrase }));
      return { exit: ran.exit, ...document(ran) };
    };
    const rescued = await rescue(JSON.stringify(plan));
    expect(rescued).toMatchObject({
      ...{ exit: 3, outcome: 'partial' },
      members: [
        { source: 'uploads', outcome: 'complete' },
        { source: 'lake', outcome: 'failed', error: { code: 'plan-invalid', hint: expect.stringContaining('9.0.0') } },
      ],
    });
    for (const each of [/version: it is not 1/, /sources.uploads.sparkle: unknown key/, /sources.lake.type/]) {
      expect(rescued.notes).toContainEqual(expect.stringMatching(each));
    }
    expect(readFileSync(join(place, 'back/uploads', directory, 'uploads/a'), 'utf8')).toBe(SECRET_FILE);
    for (const nothing of ['version: [', JSON.stringify({ ...plan, sources: { lake: plan.sources.lake } })]) {
      expect(await rescue(nothing)).toMatchObject({
        exit: 2,
        error: { code: 'plan-invalid', hint: expect.stringMatching(/9\.0\.0.*holdfast kit open/) },
      });
    }
  });

  it('is outdated once the plan has changed, a repository is another one, or a key was taken away', async () => {
    writePlan({}, { late: { type: 'files', paths: ['/srv'] } });
    expect(await checked()).toMatchObject({ exit: 4, problems: [expect.stringContaining('sources.late')] });
    const { content } = await openKit({ file: kit, passphrase });
    const unreadable = { ...content, plan: { ...content.plan, text: '{"version":9}' } };
    writeFileSync(join(directory, 'old.age'), await sealKit(packKit(unreadable, []), passphrase));
    const ofOld = await run('kit', 'check', '--kit', 'old.age', '--json');
    expect([ofOld.exit, document(ofOld).problems]).toEqual([
      4,
      [expect.stringContaining('cannot read the plan in it')],
    ]);
    const elsewhere = { store: './elsewhere', mirrorOf: 'main' };
    const main = { store: './repository', password: { env: 'HOLDFAST_PASSWORD' } };
    writePlan({ repositories: { main, second: elsewhere, third: { ...elsewhere, store: './third' } } });
    expect((await checked()).problems).toEqual([
      expect.stringMatching(/^second: the kit has it at .*\/second$/),
      'third: the kit does not know it',
      expect.stringContaining('the plan has changed since'),
    ]);
    writePlan();
    const added = document(await runWith({ HOLDFAST_NEW_PASSWORD: 'another' }, 'key', 'add', '--json')).added;
    expect((await run('key', 'remove', added)).exit).toBe(0);
    expect(await checked()).toMatchObject({ exit: 4, problems: [expect.stringContaining('had a key taken away')] });
    expect((await run('kit')).exit).toBe(0);
    expect(await checked()).toMatchObject({ exit: 0, outcome: 'current' });
    // The kit opens it; what was taken away since is in a ledger that nobody could read.
    const variables = { HOLDFAST_KIT_PASSPHRASE: passphrase, HOLDFAST_PASSWORD: 'of another time' };
    const unread = await runWith(variables, 'kit', 'check', '--kit', kit, '--json');
    expect([unread.exit, document(unread).problems]).toEqual([
      4,
      [expect.stringContaining('a key of main was taken away')],
    ]);
    rmSync(join(directory, 'second'), { recursive: true });
    await testRepository(createLocalStore(join(directory, 'second')));
    expect(await checked()).toMatchObject({
      exit: 4,
      repositories: [{ result: 'opens' }, { repository: 'second', result: 'fails' }],
    });
  });
});

it('a literal passphrase in the plan is refused', () => {
  const plan = { version: 1, name: 'a', repositories: {}, sources: {}, kit: { passphrase: 'written here' } };
  expect(() => parsePlan(JSON.stringify(plan), { file: 'holdfast.yaml', directory: '/' })).toThrow();
});
