import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  AS_OWNER,
  IS_EMULATOR,
  startFirestore,
  type TestDatabase,
  type TestFirestore,
} from '../../../../test/support/firestore.ts';
import { backUpFirestore, firestoreSource } from '../../../../test/support/firestore-backup.ts';
import type { FirestoreServer } from '../../../../test/support/firestore-server.ts';
import type { Fields } from '../../../../test/support/firestore-server-messages.ts';
import { testRepository, withReader } from '../../../../test/support/repository.ts';
import { noProgress, type Progress } from '../../../foundation/progress.ts';
import type { Repository } from '../../../repository/index.ts';
import type { Source } from '../../source.ts';
import { type CollectionSummary, DocumentDigest } from '../codec/digest.ts';
import { bodyOf, decodeDocument, nameOf } from '../codec/document-line.ts';
import { compareNames } from '../codec/names.ts';

let firestore: TestFirestore;
let database: TestDatabase;
let repository: Repository;

beforeAll(async () => {
  firestore = await startFirestore({ documentsPerPartition: 100 });
  repository = await testRepository();
});

afterAll(() => firestore.close());

beforeEach(() => {
  database = firestore.another();
});

const ONE = { n: { integerValue: '1' } };

function source(options: Parameters<typeof firestoreSource>[2] = {}): Source {
  return firestoreSource(firestore, database, options);
}

function back(of = source(), context: Parameters<typeof backUpFirestore>[2] = {}) {
  return backUpFirestore(repository, of, context);
}

function many(count: number, first = 0): Record<string, Fields> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`many/d${first + index}`, { n: { integerValue: `${index}` } }]),
  );
}

function pathsOf(lines: readonly string[]): string[] {
  return lines.map((line) => nameOf(line).slice('documents/'.length));
}

/** Does something once, when the first document has been read. */
function atFirstDocument(act: () => void): Progress {
  let isFirst = true;
  return {
    ...noProgress,
    advance: () => {
      if (isFirst) act();
      isFirst = false;
    },
  };
}

/** Every kind of value, as the client gives it back. */
function everyKind(root: string): Fields {
  return {
    null: { nullValue: 'NULL_VALUE' },
    true: { booleanValue: true },
    largest: { integerValue: '9223372036854775807' },
    smallest: { integerValue: '-9223372036854775808' },
    one: { doubleValue: 1 },
    negativeZero: { doubleValue: -0 },
    nan: { doubleValue: Number.NaN },
    infinite: { doubleValue: Number.NEGATIVE_INFINITY },
    time: { timestampValue: { seconds: '-62135596800', nanos: 1000 } },
    text: { stringValue: 'é\u0000😀\n"' },
    bytes: { bytesValue: Buffer.from([0, 255, 1]) },
    reference: { referenceValue: `${root}/companies/acme` },
    elsewhere: { referenceValue: 'projects/other/databases/d/documents/c/d' },
    place: { geoPointValue: { latitude: -90, longitude: 180 } },
    list: { arrayValue: { values: [{ integerValue: '1' }, { mapValue: { fields: ONE } }] } },
    empty: { arrayValue: { values: [] } },
    map: { mapValue: { fields: { 'a.b': { stringValue: '' }, none: { mapValue: { fields: {} } } } } },
    vector: {
      mapValue: {
        fields: {
          __type__: { stringValue: '__vector__' },
          value: { arrayValue: { values: [{ doubleValue: 0.1 }, { doubleValue: -0 }] } },
        },
      },
    },
  };
}

describe('a backup of Firestore', () => {
  it('has every document with every kind of value, at any depth, also where its parent is missing', async () => {
    const everything = everyKind(database.root);
    await database.write({
      'companies/acme': everything,
      'companies/acme/deals/d1/notes/n1': ONE,
      'companies/missing/deals/d2': {},
      'é a/b': ONE,
    });
    const { lines, capture, files } = await back();
    expect(pathsOf(lines)).toEqual([
      'é a/b',
      'companies/acme',
      'companies/acme/deals/d1/notes/n1',
      'companies/missing/deals/d2',
    ]);
    const line = lines.find((each) => nameOf(each) === 'documents/companies/acme')!;
    const decoded = decodeDocument(line, database.root.replace('/documents', ''));
    const [found] = await firestore.client.getDocument({ name: `${database.root}/companies/acme` }, AS_OWNER);
    expect(decoded.fields).toEqual(
      Object.fromEntries(Object.entries(everything).map(([key, value]) => [key, kinds(value)])),
    );
    expect(Object.is(decoded.fields['negativeZero']!.doubleValue, -0)).toBe(true);
    expect(JSON.parse(line)).toMatchObject({
      createTime: timeText(found.createTime),
      updateTime: timeText(found.updateTime),
    });
    expect([...files.keys()].filter((path) => path.startsWith('documents/'))).toEqual([
      'documents/%C3%A9%20a/00000000.jsonl',
      'documents/companies/00000000.jsonl',
    ]);
    expect(capture.manifest.details).toMatchObject({ documents: 4, project: database.project, database: '(default)' });
  });

  it('says how many there are of each collection, and their digests', async () => {
    await database.write({ 'a/1': ONE, 'a/2': ONE, 'a/1/b/1': ONE, 'a/2/b/1': {}, 'c/1': {} });
    const { lines, capture } = await back();
    const found = capture.manifest.details['collections'] as CollectionSummary[];
    expect(found.map(({ collection, documents }) => [collection, documents])).toEqual([
      ['a', 2],
      ['a/*/b', 2],
      ['c', 1],
    ]);
    const digest = new DocumentDigest();
    for (const line of lines.slice(0, 1).concat(lines[2]!)) digest.update(bodyOf(line));
    expect(found[0]!.digest).toBe(digest.hex());
  });

  it('has chosen collections with all that is below them, and no other of a like name', async () => {
    await database.write({
      'users/a': ONE,
      'users/a/logs/1': ONE,
      'users2/a': ONE,
      'user/a': ONE,
      'other/x/users/y': ONE,
    });
    const { lines } = await back(source({ collections: ['users', 'none'] }));
    expect(pathsOf(lines)).toEqual(['users/a', 'users/a/logs/1']);
  });

  it('is empty where the database is', async () => {
    const { lines, capture } = await back();
    expect([lines, capture.manifest.details['documents']]).toEqual([[], 0]);
  });
});

describe.skipIf(IS_EMULATOR)('a backup of Firestore, on the server of the tests', () => {
  let server: FirestoreServer;

  beforeAll(() => {
    server = firestore.server!;
  });

  const chargedReads = (): number => server.databaseOf(database.root).reads;
  const callsOf = (method: string): number => server.calls.get(method) ?? 0;

  it('is of one moment, whatever is written meanwhile', async () => {
    await database.write(many(300));
    const write = (): void => {
      const living = server.databaseOf(database.root);
      living.commit([
        { delete: `${database.root}/many/d0` },
        { update: { name: `${database.root}/zz/new`, fields: {} } },
      ]);
    };
    // A query sees one moment by itself: the one that goes on must be of the same.
    server.faults.push({ method: 'RunQuery', code: status.OK, afterDocuments: 1, times: 1 });
    server.faults.push({ method: 'RunQuery', code: status.UNAVAILABLE, afterDocuments: 250, times: 1 });
    const { lines } = await back(source(), { progress: atFirstDocument(write) });
    expect(pathsOf(lines)).toHaveLength(300);
    expect(pathsOf(lines)).toContain('many/d0');
    const later = pathsOf((await back()).lines);
    expect([later.length, later.includes('zz/new'), later.includes('many/d0')]).toEqual([300, true, false]);
  });

  it('goes on where a stream broke, and reads nothing twice', async () => {
    await database.write(many(400));
    const codes = [
      status.UNAVAILABLE,
      status.RESOURCE_EXHAUSTED,
      status.DEADLINE_EXCEEDED,
      status.INTERNAL,
      status.ABORTED,
    ];
    // The first query is the one that tries what the server answers.
    server.faults.push({ method: 'RunQuery', code: status.UNAVAILABLE, times: 1 });
    for (const code of codes) server.faults.push({ method: 'RunQuery', code, afterDocuments: 60, times: 1 });
    const { lines, capture } = await back();
    expect(server.faults.splice(0)).toEqual([]);
    expect(new Set(lines).size).toBe(400);
    expect(capture.manifest.details['reads']).toBe(chargedReads());
    expect(chargedReads()).toBeLessThan(410);
  });

  it('is the same in however many parts it is read, by whichever way, and but for one file where one is added', async () => {
    await database.write({ ...many(1200, 7000), 'many/d7007/below/x': ONE, 'missing/m/below/x': ONE });
    const whole = await back();
    const partitions = callsOf('RunQuery');
    server.options.kindlessPartitions = true;
    const parted = await back();
    expect(callsOf('RunQuery') - partitions).toBe(3);
    server.options.kindlessPartitions = false;
    server.options.kindlessQueries = false;
    const queries = callsOf('RunQuery');
    const walked = await back();
    server.options.kindlessQueries = true;
    expect(callsOf('RunQuery') - queries).toBe(1);
    const names = whole.lines.map(nameOf);
    expect(names).toEqual([...names].sort(compareNames));
    expect([...parted.files]).toEqual([...whole.files]);
    expect([...walked.files]).toEqual([...whole.files]);

    expect([...whole.files.keys()].filter((path) => path.startsWith('documents/many/')).length).toBe(2);
    await database.write({ 'many/d7000a': ONE });
    const { files } = await back();
    const changed = [...files].filter(([path, text]) => whole.files.get(path) !== text);
    expect(changed.map(([, text]) => text)).toEqual([expect.stringContaining('documents/many/d7000a')]);
  });

  it('is given up where the server gives less than it counts', async () => {
    await database.write(many(200));
    server.faults.push({ method: 'RunQuery', code: status.OK, afterDocuments: 1, times: 1 });
    server.faults.push({ method: 'RunQuery', code: status.OK, afterDocuments: 100, times: 1 });
    await expect(back()).rejects.toMatchObject({
      code: 'source-lost',
      message: expect.stringMatching(/counts 200 documents .* gave 100/),
    });
    server.faults.splice(0);
  });

  it('is given up where the server has another order of names: what broke could not be gone on with', async () => {
    await database.write(many(20));
    server.faults.push({ method: 'RunQuery', code: status.OK, afterDocuments: 1, times: 1 });
    server.faults.push({ method: 'RunQuery', code: status.OK, isSwapped: true, times: 1 });
    await expect(back()).rejects.toMatchObject({ code: 'source-unsupported', message: expect.stringMatching(/order/) });
    server.faults.splice(0);
  });

  it('is refused before it is read where it would be over the budget', async () => {
    await database.write(many(300));
    const before = callsOf('RunQuery');
    const refused = { code: 'source-refused', hint: expect.stringMatching(/budget/) };
    await expect(back(source({ budget: { reads: 100, price: 0.06 } }))).rejects.toMatchObject(refused);
    await expect(back(source({ budget: { cost: 0.0001, price: 0.06 } }))).rejects.toMatchObject(refused);
    expect(callsOf('RunQuery')).toBe(before);
    expect((await back(source({ budget: { reads: 400, cost: 1, price: 0.06 } }))).lines).toHaveLength(300);
  });

  it('stops at the budget where the server does not count', async () => {
    await database.write(many(300));
    server.faults.push({ method: 'RunAggregationQuery', code: status.UNIMPLEMENTED, times: 1 });
    await expect(back(source({ budget: { reads: 100, price: 0.06 } }))).rejects.toMatchObject({
      code: 'source-refused',
      message: 'the backup has read more than its budget of 100 reads',
    });
    // What runs beside, and what is on its way.
    expect(chargedReads()).toBeLessThan(300);
  });

  it('ends with the command that helps where the moment is not kept any more', async () => {
    await database.write(many(300));
    server.faults.push({ method: 'RunQuery', code: status.UNAVAILABLE, afterDocuments: 1, times: 1 });
    server.faults.push({ method: 'RunQuery', code: status.UNAVAILABLE, afterDocuments: 50, times: 1 });
    const progress = atFirstDocument(() => server.advance(3_700_000));
    await expect(back(source(), { progress })).rejects.toMatchObject({
      code: 'source-lost',
      hint: `Have every minute of seven days kept: gcloud firestore databases update --project='${database.project}' --database='(default)' --enable-pitr`,
    });
    server.faults.splice(0);
  });

  it('is refused beforehand where it would outlast the hour, by the pace of the last one', async () => {
    await database.write(many(300));
    const { id } = await back(source(), {
      edit: ({ details }) => Object.assign(details, { documentsPerSecond: 0.05 }),
    });
    const slow = await withReader(
      repository,
      (previous) => back(source(), { previous }).catch((error: unknown) => error),
      id,
    );
    expect(slow).toMatchObject({ code: 'source-refused', hint: expect.stringMatching(/--enable-pitr/) });
  });

  it.each([
    [
      'credentials that may not',
      () => server.denied.add('BatchGetDocuments'),
      'source-refused',
      /roles\/datastore.viewer/,
    ],
    [
      'no such database',
      () => server.databases.delete(database.root.replace('/documents', '')),
      'source-refused',
      /databases list/,
    ],
  ])('is refused with what helps: %s', async (_what, breakIt, code, hint) => {
    breakIt();
    await expect(back()).rejects.toMatchObject({ code, hint: expect.stringMatching(hint) });
    server.denied.clear();
  });

  it('ends at once where it is interrupted', async () => {
    await database.write(many(300));
    const interrupted = new AbortController();
    const progress = atFirstDocument(() => interrupted.abort(new Error('stop')));
    await expect(back(source(), { progress, signal: interrupted.signal })).rejects.toThrow('stop');
  });

  it('is estimated for the price of a count', async () => {
    await database.write(many(1100));
    const { clock, signal } = {
      clock: { nowMs: Date.now, monotonicMs: () => 0 },
      signal: new AbortController().signal,
    };
    const estimate = await source({ budget: { price: 6, reads: 1000 } }).estimate!({ clock, signal });
    expect(estimate).toMatchObject({ items: 1100, unit: 'documents', writes: 0, cost: (estimate.reads / 100_000) * 6 });
    expect(estimate.notes.join()).toMatch(/more than the budget/);
    const { reads } = estimate;
    expect(chargedReads()).toBeLessThan(10);
    const before = chargedReads();
    await back();
    expect(Math.abs(chargedReads() - before - reads)).toBeLessThan(10);
  });
});

/** As the codec gives a value. */
function kinds(value: Fields[string]): object {
  const [[kind, content]] = Object.entries(value) as [[string, never]];
  const inner = content as { values?: Fields[string][]; fields?: Fields };
  if (kind === 'arrayValue') return { valueType: kind, arrayValue: { values: inner.values!.map(kinds) } };
  if (kind === 'timestampValue')
    return {
      valueType: kind,
      timestampValue: { ...(content as object), seconds: Number((content as { seconds: string }).seconds) },
    };
  if (kind !== 'mapValue') return { valueType: kind, [kind]: content };
  return {
    valueType: kind,
    mapValue: { fields: Object.fromEntries(Object.entries(inner.fields!).map(([key, each]) => [key, kinds(each)])) },
  };
}

function timeText(time: { seconds?: unknown; nanos?: number | null } | null | undefined): string {
  const micros = String((time?.nanos ?? 0) / 1000).padStart(6, '0');
  const second = new Date(Number(String(time?.seconds)) * 1000).toISOString().slice(0, 19);
  return `${`${second}.${micros}`.replace(/(?:000){1,2}$/, '').replace(/\.$/, '')}Z`;
}
