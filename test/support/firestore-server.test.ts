import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AS_OWNER, everything, IS_EMULATOR, pathsOf, startFirestore, type TestFirestore } from './firestore.ts';

let firestore: TestFirestore;

beforeAll(async () => {
  firestore = await startFirestore({ documentsPerPartition: 3 });
});

afterAll(() => firestore.close());

const reference = (path: string): object => ({ referenceValue: `${firestore.root}/${path}` });
const one = { n: { integerValue: '1' } };

describe('a Firestore server', () => {
  it('keeps names in its own order: by parts, numbers first, then bytes', async () => {
    const inOrder = [
      'order/__id2__',
      'order/__id10__',
      'order/B',
      'order/a',
      'order/a/below/x',
      'order/a!',
      'order/é',
      'order/\uffee',
      'order/😀',
    ];
    await firestore.write(Object.fromEntries([...inOrder].reverse().map((path) => [path, one])));
    expect(await pathsOf(firestore, everything())).toEqual(inOrder);
  });

  it('begins and ends at cursors, skips and stops where it is told', async () => {
    await firestore.write(Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((id) => [`cursors/${id}`, one])));
    const query = { ...everything('cursors'), startAt: { values: [reference('cursors/a')], before: false } };
    expect(await pathsOf(firestore, query)).toEqual(['b', 'c', 'd', 'e'].map((id) => `cursors/${id}`));
    const window = {
      ...query,
      endAt: { values: [reference('cursors/e')], before: true },
      offset: 1,
      limit: { value: 5 },
    };
    expect(await pathsOf(firestore, window)).toEqual(['cursors/c', 'cursors/d']);
  });

  it('lists collections, and documents that are missing but have some below them', async () => {
    await firestore.write({ 'lists/there': one, 'lists/missing/below/x': one });
    const parent = firestore.root;
    const [ids] = await firestore.client.listCollectionIds({ parent: `${parent}/lists/missing` }, AS_OWNER);
    expect(ids).toEqual(['below']);
    const request = { parent, collectionId: 'lists', showMissing: true };
    const [documents] = await firestore.client.listDocuments(request, AS_OWNER);
    expect(documents.map(({ name, createTime }) => [name?.split('/').at(-1), createTime !== null])).toEqual([
      ['missing', false],
      ['there', true],
    ]);
  });

  it('answers each write of a batch on its own, and all or none of a commit', async () => {
    const database = firestore.root.replace('/documents', '');
    const writes = [
      { update: { name: `${firestore.root}/batch/a`, fields: one }, currentDocument: { exists: false } },
      { update: { name: `${firestore.root}/batch/b`, fields: one }, currentDocument: { exists: true } },
    ];
    await expect(firestore.client.commit({ database, writes }, AS_OWNER)).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
    expect(await pathsOf(firestore, everything('batch'))).toEqual([]);
    const [answer] = await firestore.client.batchWrite({ database, writes }, AS_OWNER);
    expect(answer.status?.map(({ code }) => code)).toEqual([status.OK, status.NOT_FOUND]);
    expect(await pathsOf(firestore, everything('batch'))).toEqual(['batch/a']);
  });
});

describe.skipIf(IS_EMULATOR)('the Firestore server of the tests', () => {
  it('parts a collection group, and gives the pages of that in no order', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `p${10 + index}`);
    await firestore.write(Object.fromEntries(ids.map((id) => [`parts/${id}`, one])));
    const request = { parent: firestore.root, structuredQuery: everything('parts'), partitionCount: 4, pageSize: 2 };
    const [cursors] = await firestore.client.partitionQuery(request, { autoPaginate: true });
    const points = cursors.map(({ values }) => values?.[0]?.referenceValue?.split('/').at(-1));
    expect(points).not.toEqual([...points].sort());
    expect([...points].sort()).toEqual(['p14', 'p18', 'p22', 'p26']);
    const kindless = { ...request, structuredQuery: everything() };
    await expect(firestore.client.partitionQuery(kindless)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('reads at a time of the last hour, and of whole minutes before it once that is enabled', async () => {
    const server = firestore.server!;
    await firestore.write({ 'times/a': one });
    const seconds = Math.floor(server.nowMicros() / 60e6) * 60 + 60;
    server.advance(120_000);
    await firestore.write({ 'times/b': one });
    const at = (time: number, nanos = 0): Promise<string[]> =>
      pathsOf(firestore, everything('times'), { readTime: { seconds: `${time}`, nanos } });
    expect(await at(seconds)).toEqual(['times/a']);
    server.advance(3_600_000);
    await expect(at(seconds)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: 'The requested snapshot version is too old.',
    });
    const database = server.databaseOf(firestore.root);
    database.recoveryEnabledMicros = server.nowMicros() - 3_600e6;
    expect(await at(seconds)).toEqual(['times/a']);
    await expect(at(seconds, 1000)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    await expect(at(seconds + 36_000)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('refuses documents over 1 MiB, names that are reserved and arrays in arrays', async () => {
    const write = (path: string, fields: object): Promise<void> => firestore.write({ [path]: fields as never });
    const tooLarge = write('limits/a', { blob: { bytesValue: Buffer.alloc(1 << 20) } });
    await expect(tooLarge).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    await expect(write('limits/__reserved__', one)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    const nested = { a: { arrayValue: { values: [{ arrayValue: {} }] } } };
    await expect(write('limits/a', nested)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('breaks a stream after as many documents as it is told', async () => {
    const server = firestore.server!;
    server.faults.push({ method: 'RunQuery', code: status.RESOURCE_EXHAUSTED, afterDocuments: 2, times: 1 });
    let received = 0;
    const stream = firestore.client.runQuery({ parent: firestore.root, structuredQuery: everything('cursors') });
    const broken = (async () => {
      for await (const { document } of stream) if (document) received++;
    })();
    await expect(broken).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(received).toBe(2);
    expect(await pathsOf(firestore, everything('cursors'))).toHaveLength(5);
  });
});
