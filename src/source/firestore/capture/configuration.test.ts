import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  IS_EMULATOR,
  startFirestore,
  type TestDatabase,
  type TestFirestore,
} from '../../../../test/support/firestore.ts';
import { backUpFirestore, firestoreSource } from '../../../../test/support/firestore-backup.ts';
import { testRepository } from '../../../../test/support/repository.ts';
import type { Repository } from '../../../repository/index.ts';
import { type Request, readRules } from './rules.ts';

describe.skipIf(IS_EMULATOR)('what belongs to a Firestore database beside its documents', () => {
  let firestore: TestFirestore;
  let database: TestDatabase;
  let repository: Repository;
  const signal = new AbortController().signal;

  beforeAll(async () => {
    firestore = await startFirestore();
    repository = await testRepository();
    database = firestore.another();
    await database.write({ 'deals/a': {}, 'users/b': {} });
  });

  afterAll(() => firestore.close());

  it('is captured as the file of indexes that Firebase deploys', async () => {
    const { admin, nowMicros } = firestore.server!;
    const name = database.root.replace('/documents', '');
    admin.settings.set(name, { locationId: 'nam5', type: 'FIRESTORE_NATIVE', createTime: { seconds: '1' } });
    const group = `${name}/collectionGroups/deals`;
    const ordered = { fieldPath: 'stage', order: 'ASCENDING' };
    const fields = [ordered, { fieldPath: 'tags', arrayConfig: 'CONTAINS' }];
    admin.indexes.set(name, [{ name: `${group}/indexes/x1`, queryScope: 'COLLECTION', fields }]);
    const exempt = [{ queryScope: 'COLLECTION_GROUP', fields: [{ fieldPath: 'notes', order: 'DESCENDING' }] }];
    admin.fields.set(name, [
      { name: `${group}/fields/notes`, indexConfig: { indexes: exempt } },
      { name: `${group}/fields/expires`, indexConfig: { indexes: [] }, ttlConfig: {} },
    ]);
    const { files, capture } = await backUpFirestore(repository, firestoreSource(firestore, database));
    expect(JSON.parse(files.get('firestore.indexes.json')!)).toEqual({
      indexes: [{ collectionGroup: 'deals', queryScope: 'COLLECTION', fields }],
      fieldOverrides: [
        { collectionGroup: 'deals', fieldPath: 'expires', ttl: true, indexes: [] },
        {
          ...{ collectionGroup: 'deals', fieldPath: 'notes', ttl: false },
          indexes: [{ queryScope: 'COLLECTION_GROUP', order: 'DESCENDING' }],
        },
      ],
    });
    expect(capture.manifest.details['configuration']).toMatchObject({ indexes: 1, fieldOverrides: 2, notes: [] });
    expect(nowMicros()).toBeGreaterThan(capture.timeMs * 1000);
  });

  it('is noted where it cannot be read, and the documents are kept', async () => {
    firestore.server!.denied.add('ListIndexes');
    const { lines, files, capture } = await backUpFirestore(repository, firestoreSource(firestore, database));
    firestore.server!.denied.clear();
    expect([lines.length, files.has('firestore.indexes.json')]).toEqual([2, false]);
    const { notes } = capture.manifest.details['configuration'] as { notes: string[] };
    expect(notes).toEqual([expect.stringMatching(/^indexes are not in this backup: .*permissions/)]);
  });

  it('is a whole minute that lasts for days, with point-in-time recovery', async () => {
    const server = firestore.server!;
    const living = server.databaseOf(database.root);
    living.recoveryEnabledMicros = server.nowMicros() - 7200e6;
    server.advance(120_000);
    await database.write({ 'deals/late': {} });
    server.faults.push({ method: 'RunQuery', code: status.UNAVAILABLE, afterDocuments: 1, times: 1 });
    const isLate = (): void => server.advance(3 * 3_600_000);
    let calls = 0;
    const progress = { phase: isLate, advance: () => void calls++, note: () => {}, finish: () => {} };
    const { lines, capture } = await backUpFirestore(repository, firestoreSource(firestore, database), { progress });
    living.recoveryEnabledMicros = undefined;
    expect([lines.length, calls]).toEqual([2, 2]);
    expect(capture.manifest.details).toMatchObject({
      ...{ pointInTimeRecovery: 'enabled', location: 'nam5', readTime: expect.stringMatching(/:00Z$/) },
    });
  });

  it('is looked at by the doctor', async () => {
    const chosen = firestoreSource(firestore, database, { collections: ['deals', 'gone'] });
    const findings = await chosen.examine({ signal, longestGapMs: undefined });
    const about = Object.fromEntries(findings.map((finding) => [finding.about, finding]));
    expect(about).toMatchObject({
      connection: { level: 'ok' },
      'point-in-time recovery': {
        level: 'warning',
        mend: { lines: [expect.stringMatching(/^gcloud firestore databases update .*--enable-pitr$/)] },
      },
      'collection gone': { level: 'warning', mend: { lines: ['collections: [deals, users]'] } },
      queries: { level: 'ok' },
      indexes: { level: 'ok', message: expect.stringMatching(/^1 composite/) },
    });
    const elsewhere = firestoreSource(firestore, { project: 'nowhere' });
    expect(await elsewhere.examine({ signal, longestGapMs: undefined })).toMatchObject([
      {
        level: 'missing',
        about: 'connection',
        message: expect.stringMatching(/^there is no database projects\/nowhere/),
      },
    ]);
  });
});

describe('the rules of a Firestore database', () => {
  let server: Server;
  let url: string;
  const rules = "rules_version = '2';\nservice cloud.firestore {}\n";
  const answers: Record<string, unknown> = {
    '/projects/p/releases/cloud.firestore': { rulesetName: 'projects/p/rulesets/1' },
    '/projects/p/releases/cloud.firestore/other': { rulesetName: 'projects/p/rulesets/gone' },
    '/projects/p/rulesets/1': { source: { files: [{ name: 'firestore.rules', content: rules }] } },
  };
  const request: Request = async (target) => {
    const answer = await fetch(target);
    if (!answer.ok) throw Object.assign(new Error(answer.statusText), { status: answer.status });
    return { data: await answer.json() };
  };

  beforeAll(async () => {
    server = createServer(({ url: path = '' }, response) => {
      const answer = answers[path];
      response.writeHead(answer === undefined ? (path.includes('gone') ? 500 : 404) : 200).end(JSON.stringify(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => void server.close());

  it('are those that are released for it', async () => {
    expect(await readRules(request, { project: 'p', database: '(default)' }, url)).toBe(rules);
  });

  it('are none where none were released, and an error where they cannot be read', async () => {
    expect(await readRules(request, { project: 'q', database: '(default)' }, url)).toBeUndefined();
    await expect(readRules(request, { project: 'p', database: 'other' }, url)).rejects.toMatchObject({ status: 500 });
  });
});
