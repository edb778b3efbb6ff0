import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { initialise, PASSWORD, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { AS_OWNER, everything, IS_EMULATOR, startFirestore, type TestFirestore } from '../support/firestore.ts';
import { startFirestoreRest } from '../support/firestore-rest.ts';
import { FirestoreDatabase } from '../support/firestore-server-database.ts';
import type { Fields, Write } from '../support/firestore-server-messages.ts';
import { restic } from '../support/restic.ts';

/** A document with a value of every kind, and what is at the edge of each. */
function everyValue(root: string): Fields {
  return {
    null: { nullValue: 'NULL_VALUE' },
    yes: { booleanValue: true },
    no: { booleanValue: false },
    zero: { integerValue: '0' },
    most: { integerValue: '9223372036854775807' },
    least: { integerValue: '-9223372036854775808' },
    one: { doubleValue: 1 },
    minusZero: { doubleValue: -0 },
    nan: { doubleValue: Number.NaN },
    infinite: { doubleValue: Number.POSITIVE_INFINITY },
    minusInfinite: { doubleValue: Number.NEGATIVE_INFINITY },
    tiny: { doubleValue: 5e-324 },
    first: { timestampValue: { seconds: '-62135596800', nanos: 0 } },
    micros: { timestampValue: { seconds: '253402300799', nanos: 999_999_000 } },
    empty: { stringValue: '' },
    text: { stringValue: 'a\u0000b "\\ \u2028 \u{1F600} \uFFFD' },
    likeName: { stringValue: '{"name":"documents/users/ada","referenceValue":"documents/users/ada"}' },
    bytes: { bytesValue: Buffer.from([0, 255, 10, 13]) },
    noBytes: { bytesValue: Buffer.alloc(0) },
    own: { referenceValue: `${root}/users/ada` },
    foreign: { referenceValue: 'projects/else/databases/(default)/documents/users/ada' },
    point: { geoPointValue: { latitude: -90, longitude: 180 } },
    vector: {
      mapValue: {
        fields: {
          __type__: { stringValue: '__vector__' },
          value: { arrayValue: { values: [{ doubleValue: 1 }, { doubleValue: -0.5 }] } },
        },
      },
    },
    emptyArray: { arrayValue: {} },
    emptyMap: { mapValue: {} },
    mixed: {
      arrayValue: {
        values: [{ integerValue: '1' }, { doubleValue: 1 }, { mapValue: {} }, { nullValue: 'NULL_VALUE' }],
      },
    },
  };
}

const COMPANIES = 450;
const ALL = COMPANIES + 9;

let firestore: TestFirestore;
let directory: string;

/** The databases that tests restore to, each in a project of its own. */
let targets = 0;
function emptyDatabase(): { project: string; name: string; url: string } {
  const project = `${firestore.project}-${++targets}`;
  const name = `projects/${project}/databases/(default)`;
  firestore.server?.createDatabase(name);
  return { project, name, url: `firestore://${project}` };
}

async function run(...words: string[]) {
  return runHere(join(directory, 'holdfast.yaml'), ...words);
}

/** Every document of a database by its path, without the times; own references as they are in the source. */
async function contentOf(database: string): Promise<Map<string, string>> {
  const request = { parent: `${database}/documents`, structuredQuery: everything() };
  const content = new Map<string, string>();
  const source = firestore.root.slice(0, -'/documents'.length);
  for await (const { document } of firestore.client.runQuery(request as object, AS_OWNER)) {
    if (!document) continue;
    const text = JSON.stringify(document.fields, (_key, value) => {
      if (typeof value === 'number') return Object.is(value, -0) ? 'double -0' : `double ${value}`;
      // A map has no order.
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
      return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
    });
    content.set(document.name.slice(database.length), text.replaceAll(`"${database}/`, `"${source}/`));
  }
  return content;
}

async function change(database: string, writes: object[]): Promise<void> {
  await firestore.client.commit({ database, writes } as object, AS_OWNER);
}

beforeAll(async () => {
  firestore = await startFirestore();
  vi.stubEnv('FIRESTORE_EMULATOR_HOST', firestore.host);
  vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
  directory = mkdtempSync(join(tmpdir(), 'firestore-restore-'));
  const checks =
    'validate: [{ name: companies, collection: companies, count: { atLeast: 450 } }, { name: few deals, collection: companies/*/deals, count: { atMost: 10 } }]';
  writePlan(
    directory,
    `  crm: { type: firestore, project: ${firestore.project}, ${checks} }
  other: { type: firestore, project: ${firestore.project}, database: living, collections: [users] }`,
    `sandboxes:
  proofs: { type: firestore, project: ${firestore.project}-proofs, location: europe-west1 }
  kept: { type: firestore, project: ${firestore.project}-kept, keep: 24h }
  living: { type: firestore, project: ${firestore.project}, database: living }
  taken: { type: firestore, project: ${firestore.project}, database: taken }
  here: { type: local }
`,
  );
  await initialise(directory);
  const documents: Record<string, Fields> = {
    'values/every': everyValue(firestore.root),
    'users/ada': { name: { stringValue: 'Ada' } },
  };
  for (let at = 0; at < COMPANIES; at++) documents[`companies/c${at}`] = { number: { integerValue: `${at}` } };
  // Below a document that there is, and below one that is missing.
  for (let at = 0; at < 5; at++) documents[`companies/c1/deals/${at}`] = { sum: { doubleValue: at } };
  documents['missing/parent/below/it'] = { name: { stringValue: 'found' } };
  documents['odd names/. \u{1F600}"\\/a.b/__id7__'] = { '\u00e9 "\\\n': { booleanValue: true } };
  await firestore.write(documents);
  const living = `projects/${firestore.project}/databases/living`;
  firestore.server?.createDatabase(living);
  await change(living, [
    { update: { name: `${living}/documents/users/ada`, fields: { name: { stringValue: 'Ada' } } } },
    { update: { name: `${living}/documents/left/out`, fields: {} } },
  ]);
  firestore.server?.createDatabase(`projects/${firestore.project}/databases/taken`);
  firestore.server?.admin.indexes.set(source(), [
    {
      name: `${source()}/collectionGroups/companies/indexes/1`,
      queryScope: 'COLLECTION',
      fields: [
        { fieldPath: 'number', order: 'ASCENDING' },
        { fieldPath: 'name', arrayConfig: 'CONTAINS' },
      ],
    },
  ]);
  firestore.server?.admin.fields.set(source(), [
    {
      name: `${source()}/collectionGroups/companies/fields/note`,
      ...{ indexConfig: { indexes: [] }, ttlConfig: {} },
    },
  ]);
  const { exit, json } = await run('backup', 'crm', 'other');
  expect({ exit, json }).toMatchObject({ exit: 0 });
});

afterAll(async () => {
  await firestore.close();
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

/** Does some work, and sees what it was charged by a server that tells: an emulator does not. */
async function charged(
  cost: { reads: number; writes: number; deletes: number },
  work: () => Promise<unknown>,
): Promise<void> {
  const before = firestore.server?.charged;
  await work();
  const after = firestore.server?.charged;
  if (before === undefined || after === undefined) return;
  expect({
    ...{ reads: after.reads - before.reads, writes: after.writes - before.writes },
    deletes: after.deletes - before.deletes,
  }).toEqual(cost);
}

function source(): string {
  return firestore.root.slice(0, -'/documents'.length);
}

const SCRIPT = new URL('../../src/operations/kit/write-firestore.sh', import.meta.url).pathname;

/** What a person does, who types the line of the recovery kit's page. @param restored where restic wrote the snapshot */
function writeByHand(restored: string, database: string, host: string) {
  return execute('sh', [SCRIPT, join(restored, 'data', 'documents'), database], {
    env: { PATH: process.env['PATH'], FIRESTORE_EMULATOR_HOST: host },
  });
}
const execute = promisify(execFile);

describe('a restore to an empty database', () => {
  it('brings back every value of every kind, document by document', async () => {
    const { name, url } = emptyDatabase();
    const { exit, json } = await run('restore', 'crm', '--to', url);
    expect({ exit, json }).toMatchObject({
      ...{ exit: 0, json: { outcome: 'complete', items: ALL, target: `${url}/(default)` } },
    });
    expect(json.notes.join('\n')).toMatch(/times of creation and change are those of the restore/);
    const [restored, captured] = [await contentOf(name), await contentOf(source())];
    expect(restored.size).toBe(ALL);
    expect([...restored]).toEqual([...captured]);
    expect(await run('compare', 'crm', '--with', url)).toMatchObject({ exit: 0, json: { equal: true, compared: ALL } });
  });

  it('brings back the same by hand: with stock restic and the script of the recovery kit', async () => {
    const { name } = emptyDatabase();
    const target = join(directory, 'by-hand');
    expect(
      restic(join(directory, 'repository'), ['restore', 'latest', '--tag', 'source:crm', '--target', target]),
    ).toMatchObject({ status: 0 });
    const rest = await startFirestoreRest(firestore, (before) => (before === 2 ? 503 : 200));
    try {
      const { stderr } = await writeByHand(target, name, rest.host);
      expect(stderr).toContain(`${ALL} documents are written\n`);
      expect(Math.max(...rest.commits)).toBe(50);
    } finally {
      rest.close();
    }
    expect([...(await contentOf(name))]).toEqual([...(await contentOf(source()))]);
    const refusing = await startFirestoreRest(firestore, () => 403);
    const refused = await writeByHand(target, name, refusing.host).catch((error: unknown) => error);
    refusing.close();
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('{"error":{"code":403}}') });
    const nothing = await writeByHand(directory, name, rest.host).catch((error: unknown) => error);
    expect(nothing).toMatchObject({ code: 1, stderr: expect.stringContaining('there are no documents below') });
  });

  it('brings back collections, documents and patterns with what is below them, and nothing else', async () => {
    const { name, url } = emptyDatabase();
    const wanted = ['--only', '/companies/c1', 'users', '/missing/**/it', '--exclude', '/companies/c1/deals/[34]'];
    expect(await run('restore', 'crm', '--to', `${url}/(default)`, ...wanted)).toMatchObject({ exit: 0 });
    expect([...(await contentOf(name)).keys()]).toEqual(
      ['companies/c1', 'companies/c1/deals/0', 'companies/c1/deals/1', 'companies/c1/deals/2']
        .concat('missing/parent/below/it', 'users/ada')
        .map((path) => `/documents/${path}`),
    );
  });

  it('is refused where a pattern names nothing, whatever the others name, before anything is made', async () => {
    const { name, url } = emptyDatabase();
    for (const only of [['user'], ['users', 'user']]) {
      const { exit, json } = await run('restore', 'crm', '--to', url, '--only', ...only);
      expect({ exit, error: json.error }).toMatchObject({ exit: 1, error: { code: 'path-missing' } });
      expect(json.error.message).toMatch(/named by "user"$/);
    }
    expect((await contentOf(name)).size).toBe(0);
  });

  it('is refused where it is not empty, and says what is there', async () => {
    const { name, url } = emptyDatabase();
    await change(name, [{ update: { name: `${name}/documents/mine/a/below/b`, fields: {} } }]);
    const { exit, json } = await run('restore', 'crm', '--to', url);
    expect({ exit, error: json.error }).toMatchObject({
      ...{ exit: 1, error: { code: 'target-not-empty', message: expect.stringContaining('mine') } },
    });
    expect((await contentOf(name)).size).toBe(1);
  });

  it.skipIf(IS_EMULATOR)('is refused where no such database is, or the target is none', async () => {
    const missing = await run('restore', 'crm', '--to', `firestore://${firestore.project}-none`);
    expect(missing).toMatchObject({ exit: 1, json: { error: { code: 'target-failed' } } });
    expect(missing.json.error.hint).toContain('--create');
    const postgres = await run('restore', 'crm', '--to', 'postgres://localhost/x');
    expect(postgres).toMatchObject({ exit: 1, json: { error: { code: 'target-unsuitable' } } });
    const misplaced = await run('restore', 'crm', '--to', emptyDatabase().url, '--location', 'nam5');
    expect(misplaced).toMatchObject({ exit: 2, json: { error: { code: 'bad-usage' } } });
    const directoryMade = await run('restore', 'crm', '--to', join(directory, 'made'), '--create');
    expect(directoryMade).toMatchObject({
      exit: 2,
      json: { error: { message: '--create is for a Firestore database' } },
    });
  });

  it.skipIf(IS_EMULATOR)('goes on where it was interrupted, writing just what is not there', async () => {
    const { name, url } = emptyDatabase();
    firestore.server!.faults.push({ method: 'BatchWrite', code: status.PERMISSION_DENIED, times: 1 });
    const broken = await run('restore', 'crm', '--to', url);
    expect(broken).toMatchObject({ exit: 1, json: { error: { code: 'target-failed' } } });
    const there = (await contentOf(name)).size;
    expect(there).toBeGreaterThan(1);
    expect(there).toBeLessThan(ALL);
    const other = await run('restore', 'crm', '--to', url, '--only', 'users');
    expect(other).toMatchObject({ exit: 1, json: { error: { code: 'target-not-empty' } } });
    // Beside the marker, which goes.
    const cost = { reads: expect.any(Number), writes: ALL - (there - 1), deletes: 1 };
    await charged(cost, async () => {
      const { exit, json } = await run('restore', 'crm', '--to', url);
      expect({ exit, notes: json.notes }).toMatchObject({ exit: 0 });
      expect(json.notes.join('\n')).toMatch(/interrupted restore was gone on with/);
    });
    expect([...(await contentOf(name))]).toEqual([...(await contentOf(source()))]);
  });

  it.skipIf(IS_EMULATOR)('outlasts a server that is overloaded or away', async () => {
    const { name, url } = emptyDatabase();
    for (const code of [status.UNAVAILABLE, status.RESOURCE_EXHAUSTED, status.ABORTED]) {
      firestore.server!.faults.push({ method: 'BatchWrite', code, times: 1 });
    }
    firestore.server!.faults.push({ method: 'ListCollectionIds', code: status.UNAVAILABLE, times: 1 });
    expect(await run('restore', 'crm', '--to', url)).toMatchObject({ exit: 0, json: { items: ALL } });
    expect(firestore.server!.faults).toEqual([]);
    expect((await contentOf(name)).size).toBe(ALL);
  });
});

describe('the estimate of a restore', () => {
  it('says documents, writes and money without a question to Firestore', async () => {
    const { name, url } = emptyDatabase();
    await charged({ reads: 0, writes: 0, deletes: 0 }, async () => {
      const whole = await run('restore', 'crm', '--to', url, '--estimate');
      expect(whole).toMatchObject({
        ...{ exit: 0, json: { estimate: { items: ALL, reads: 1, writes: ALL + 1, deletes: 1 } } },
      });
      // By Google's list prices of 100,000 operations.
      expect(whole.json.estimate.cost).toBeCloseTo((0.06 + (ALL + 1) * 0.18 + 0.02) / 100_000);
      const part = await run('restore', 'crm', '--to', url, '--estimate', '--diff', '--only', '/companies/c1');
      expect(part.json.estimate).toMatchObject({ items: 6, reads: 6, writes: 6, deletes: 0 });
    });
    expect((await contentOf(name)).size).toBe(0);
  });
});

describe('a restore to a database that holds something', () => {
  /** As the snapshot is, but for a document that is gone, one that is other and one that is new. */
  async function changed(): Promise<{ name: string; url: string; project: string }> {
    const database = emptyDatabase();
    expect(await run('restore', 'crm', '--to', database.url)).toMatchObject({ exit: 0 });
    const path = (name: string): string => `${database.name}/documents/${name}`;
    await change(database.name, [
      { delete: path('companies/c7') },
      { update: { name: path('companies/c8'), fields: { number: { doubleValue: 8 } } } },
      { update: { name: path('companies/c1/deals/new'), fields: {} } },
      { update: { name: path('users/bob'), fields: {} } },
    ]);
    return database;
  }

  it('writes what differs and removes nothing with --diff, which --dry-run shows first', async () => {
    const { name, url, project } = await changed();
    const before = await contentOf(name);
    const shown = await run('restore', 'crm', '--to', url, '--diff', '--dry-run');
    expect(shown).toMatchObject({
      exit: 0,
      json: { changes: { missing: 1, content: 1, extra: 0, equal: ALL - 2 } },
    });
    expect(shown.json.changes.named).toMatchObject([
      { item: 'companies/c7', kind: 'missing' },
      { item: 'companies/c8', kind: 'content' },
    ]);
    expect([...(await contentOf(name))]).toEqual([...before]);
    const unconfirmed = await run('restore', 'crm', '--to', url, '--diff', '--confirm', 'omni');
    expect(unconfirmed).toMatchObject({
      exit: 2,
      json: { error: { hint: expect.stringContaining(`--confirm ${project}`) } },
    });
    await charged({ reads: ALL, writes: 2, deletes: 0 }, async () => {
      expect(await run('restore', 'crm', '--to', url, '--diff', '--confirm', project)).toMatchObject({ exit: 0 });
    });
    expect((await run('compare', 'crm', '--with', url)).json.differences).toMatchObject([
      { item: 'companies/c1/deals/new', kind: 'extra' },
      { item: 'users/bob', kind: 'extra' },
    ]);
  });

  it('removes what the snapshot does not have with --replace, of a selection only what it means', async () => {
    const { name, url, project } = await changed();
    const only = ['--only', '/companies'];
    const shown = await run('restore', 'crm', '--to', url, '--replace', '--dry-run', ...only);
    expect(shown).toMatchObject({ exit: 0, json: { changes: { missing: 1, content: 1, extra: 1 } } });
    expect(shown.json.changes.named.map(({ item }: { item: string }) => item)).toContain('companies/c1/deals/new');
    await charged({ reads: ALL + 1, writes: 2, deletes: 1 }, async () => {
      expect(await run('restore', 'crm', '--to', url, '--replace', '--confirm', project, ...only)).toMatchObject({
        exit: 0,
      });
    });
    const rest = [...(await contentOf(name)).keys()].filter((path) => path.startsWith('/documents/users'));
    expect(rest).toEqual(['/documents/users/ada', '/documents/users/bob']);
    expect(await run('restore', 'crm', '--to', url, '--replace', '--confirm', project)).toMatchObject({ exit: 0 });
    expect([...(await contentOf(name))]).toEqual([...(await contentOf(source()))]);
  });

  it('leaves alone with --replace what the backup was not of', async () => {
    const { name, url, project } = emptyDatabase();
    await change(name, [
      { update: { name: `${name}/documents/users/bob`, fields: {} } },
      { update: { name: `${name}/documents/left/out`, fields: {} } },
    ]);
    const shown = await run('restore', 'other', '--to', url, '--replace', '--dry-run');
    expect(shown.json.changes).toMatchObject({ missing: 1, extra: 1 });
    expect(await run('restore', 'other', '--to', url, '--replace', '--confirm', project)).toMatchObject({ exit: 0 });
    expect([...(await contentOf(name)).keys()]).toEqual(['/documents/left/out', '/documents/users/ada']);
  });

  it.each([
    [['--replace', '--diff', '--dry-run'], '--replace and --diff exclude each other'],
    [['--dry-run'], '--dry-run belongs to'],
    [['--confirm', 'x'], '--confirm belongs to'],
    [['--replace'], '--replace must be confirmed'],
  ])('is refused with %s', async (options, message) => {
    const { exit, json } = await run('restore', 'crm', '--to', `firestore://${firestore.project}`, ...options);
    expect({ exit, error: json.error }).toMatchObject({
      exit: 2,
      error: { message: expect.stringContaining(message) },
    });
  });

  it('holds the living against a recovery point, and leaves out what that is not of', async () => {
    expect(await run('compare', 'crm')).toMatchObject({ exit: 0, json: { equal: true, compared: ALL } });
    expect(await run('compare', 'other')).toMatchObject({ exit: 0, json: { equal: true, compared: 1 } });
    const { url } = await changed();
    firestore.server?.faults.push({ method: 'RunQuery', code: status.UNAVAILABLE, afterDocuments: 300, times: 1 });
    const { exit, json } = await run('compare', 'crm', '--with', url);
    expect({ exit, compared: json.compared }).toEqual({ exit: 4, compared: ALL + 2 });
    expect(json.differences.map(({ item, kind }: { item: string; kind: string }) => `${kind} ${item}`)).toEqual([
      ...['extra companies/c1/deals/new', 'missing companies/c7', 'content companies/c8', 'extra users/bob'],
    ]);
  });
});

describe.skipIf(IS_EMULATOR)('a database that is not there', () => {
  it('is made with --create, with its indexes first, in the location of the source or another', async () => {
    const url = `firestore://${firestore.project}-new/restored`;
    const name = `projects/${firestore.project}-new/databases/restored`;
    const { exit, json } = await run('restore', 'crm', '--to', url, '--create', '--location', 'eur3');
    expect({ exit, json }).toMatchObject({ exit: 0, json: { items: ALL } });
    expect(json.notes.join('\n')).toContain('was made in eur3');
    const { admin } = firestore.server!;
    expect(admin.settings.get(name)).toMatchObject({ locationId: 'eur3', type: 'FIRESTORE_NATIVE' });
    expect(admin.indexes.get(name)).toMatchObject([
      {
        queryScope: 'COLLECTION',
        fields: [
          { fieldPath: 'number', order: 'ASCENDING' },
          { fieldPath: 'name', arrayConfig: 'CONTAINS' },
        ],
      },
    ]);
    expect(admin.fields.get(name)).toMatchObject([{ name: expect.stringContaining('companies/fields/note') }]);
    expect(admin.fields.get(name)![0]).not.toHaveProperty('ttlConfig');
    expect(json.notes.join('\n')).toContain('documents expire by companies.note in the source and not here');
    expect((await contentOf(name)).size).toBe(ALL);
  });

  it('gets its indexes also where it was made by a restore that died before them, and only where it is empty', async () => {
    const { admin } = firestore.server!;
    const [made, full] = ['half', 'full'].map((each) => `projects/${firestore.project}-new/databases/${each}`);
    for (const name of [made!, full!]) firestore.server!.createDatabase(name);
    await change(full!, [{ update: { name: `${full}/documents/mine/a`, fields: {} } }]);
    const url = `firestore://${firestore.project}-new`;
    const there = ['--create', '--location', 'eur3', '--only', 'users'];
    expect(await run('restore', 'crm', '--to', `${url}/half`, ...there)).toMatchObject({ exit: 0 });
    expect(admin.indexes.get(made!)).toHaveLength(1);
    expect(await run('restore', 'crm', '--to', `${url}/full`, ...there)).toMatchObject({ exit: 1 });
    expect(admin.indexes.get(full!) ?? []).toEqual([]);
  });

  it('is where a recovery point is proven, and gone afterwards', async () => {
    const proven = await run('verify', 'crm', '--sandbox', 'proofs');
    expect(proven).toMatchObject({ exit: 0, json: { proofs: [{ state: 'proven', checksFailed: [] }] } });
    const names = proven.json.proofs[0].checks.map(({ name }: { name: string }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['documents companies', 'documents companies/*/deals', 'validate: companies']),
    );
    const projects = [...firestore.server!.databases.keys()].filter((name) => name.includes('-proofs/'));
    expect(projects).toEqual([]);
  });

  it('stays for as long as the sandbox says, and is removed by a later proof', async () => {
    const kept = (): string[] => [...firestore.server!.databases.keys()].filter((name) => name.includes('-kept/'));
    expect(await run('verify', 'other', '--sandbox', 'kept')).toMatchObject({ exit: 0 });
    const [first] = kept();
    expect(first).toMatch(/holdfast-proof-/);
    const expired = first!.replace(/proof-\d+-/, 'proof-1000000000-');
    firestore.server!.createDatabase(expired);
    expect(await run('verify', 'other', '--sandbox', 'kept')).toMatchObject({ exit: 0 });
    expect(kept()).toHaveLength(2);
    expect(kept()).not.toContain(expired);
  });

  it('is never the living one, nor one that is there', async () => {
    for (const [sandbox, message] of [
      ['living', 'is the living database'],
      ['taken', 'exists'],
    ]) {
      const { exit, json } = await run('verify', 'other', '--sandbox', sandbox!);
      expect({ exit, error: json.error }).toMatchObject({
        ...{ exit: 1, error: { code: 'sandbox-failed', message: expect.stringContaining(message!) } },
      });
    }
    expect((await contentOf(source())).size).toBe(ALL);
  });

  it('must be named where there are several, and fit', async () => {
    const several = await run('verify', 'other');
    expect(several).toMatchObject({ exit: 2, json: { error: { hint: expect.stringContaining('--sandbox kept') } } });
    const unknown = await run('verify', 'other', '--sandbox', 'nowhere');
    expect(unknown).toMatchObject({ exit: 2, json: { error: { message: expect.stringContaining('nowhere') } } });
    const unfit = await run('verify', 'other', '--sandbox', 'here');
    expect(unfit).toMatchObject({ exit: 2, json: { error: { message: expect.stringContaining('type local') } } });
  });

  it('is needed for a proof, which is not provable without one', async () => {
    const plan = readFileSync(join(directory, 'holdfast.yaml'), 'utf8');
    const without = join(directory, 'without.yaml');
    writeFileSync(without, plan.slice(0, plan.indexOf('sandboxes:')));
    const { exit, json } = await runHere(without, 'verify', 'other');
    expect({ exit, proof: json.proofs[0] }).toMatchObject({
      ...{ exit: 4, proof: { state: 'not-provable', reason: expect.stringContaining('sandbox of type firestore') } },
    });
  });

  it('tells a restore that is not what was captured', async () => {
    const { server } = firestore;
    const { batchWrite } = FirestoreDatabase.prototype;
    const altered = vi.spyOn(FirestoreDatabase.prototype, 'batchWrite').mockImplementation(function (
      this: FirestoreDatabase,
      writes,
    ) {
      return batchWrite.call(this, writes.map(withAnotherNumber));
    });
    try {
      const { exit, json } = await run('verify', 'crm', '--sandbox', 'proofs');
      expect({ exit, proof: json.proofs[0] }).toMatchObject({
        ...{ exit: 4, proof: { state: 'failed', checksFailed: ['documents companies'] } },
      });
    } finally {
      altered.mockRestore();
    }
    expect([...server!.databases.keys()].filter((name) => name.includes('-proofs/'))).toEqual([]);
  });
});

/** As a server would that lost the difference between an integer and a double. */
function withAnotherNumber(write: Write): Write {
  if (!write.update?.name.endsWith('/companies/c9')) return write;
  return { update: { ...write.update, fields: { number: { doubleValue: 9 } } } };
}

describe('the lines of a snapshot', () => {
  it('come to a directory as they are', async () => {
    const to = join(directory, 'lines');
    expect(await run('restore', 'other', '--to', to)).toMatchObject({ exit: 0 });
    const text = readFileSync(join(to, 'data/documents/users/00000000.jsonl'), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ name: 'documents/users/ada', fields: { name: { stringValue: 'Ada' } } });
    const part = await run('restore', 'other', '--to', join(directory, 'part'), '--only', 'users');
    expect(part).toMatchObject({ exit: 2, json: { error: { code: 'bad-usage' } } });
    expect(existsSync(join(directory, 'part'))).toBe(false);
  });
});
