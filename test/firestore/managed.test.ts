import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { noProgress } from '../../src/foundation/progress.ts';
import { initialise, PASSWORD, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { AS_OWNER, IS_EMULATOR, startFirestore, type TestFirestore } from '../support/firestore.ts';
import { backUpFirestore, firestoreSource } from '../support/firestore-backup.ts';
import { errorOf } from '../support/postgres-source.ts';
import { testRepository } from '../support/repository.ts';

// Google's emulator has no exports by its administrative interface.
describe.skipIf(IS_EMULATOR)("a managed export, by Google's own interface", () => {
  let firestore: TestFirestore;
  let directory: string;
  const run = (...words: string[]) => runHere(join(directory, 'holdfast.yaml'), ...words);
  const exports = () => firestore.server!.admin.exports;

  /** An empty database in a project of its own. */
  function place(name: string): { url: string; documents: () => string[] } {
    const database = `projects/${firestore.project}-${name}/databases/(default)`;
    firestore.server!.createDatabase(database);
    const documents = () => firestore.server!.databaseOf(database).entries.map((entry) => entry.name);
    return { url: `firestore://${firestore.project}-${name}`, documents };
  }

  beforeAll(async () => {
    firestore = await startFirestore();
    vi.stubEnv('FIRESTORE_EMULATOR_HOST', firestore.host);
    vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
    directory = mkdtempSync(join(tmpdir(), 'firestore-managed-'));
    const managed = `type: firestore, project: ${firestore.project}, method: managed, bucket: gs://exports/nightly`;
    writePlan(
      directory,
      `  crm: { ${managed}, validate: [{ name: some, collection: companies, count: { atLeast: 2 } }] }
  chosen: { ${managed}, collections: [companies, users] }
  dear: { ${managed}, budget: { reads: 2 } }`,
      `sandboxes: { proofs: { type: firestore, project: ${firestore.project}-proofs } }\n`,
    );
    await initialise(directory);
    await firestore.write({ 'companies/a': {}, 'companies/b': {}, 'companies/a/deals/1': {}, 'users/ada': {} });
  });

  afterAll(async () => {
    await firestore.close();
    vi.unstubAllEnvs();
  });

  it('is taken, recorded with where it lies, imported elsewhere, and proven by its counts', async () => {
    const check = await run('plan', 'check');
    expect([check.exit, JSON.stringify(check.json.warnings)]).toEqual([
      0,
      expect.stringContaining('lie in the bucket'),
    ]);
    const backup = await run('backup', 'crm');
    expect(backup.json.sources).toMatchObject([{ outcome: 'complete' }]);
    const [location] = [...exports().keys()];
    expect(location).toMatch(/^gs:\/\/exports\/nightly\/crm-\d{8}T\d+Z$/);
    expect(backup.said).toContain(`the documents lie in ${location}, and not in the repository`);
    const to = place('whole');
    const restored = await run('restore', 'crm', '--to', to.url);
    expect([restored.exit, restored.json.items]).toEqual([0, 4]);
    expect(to.documents().length).toBeGreaterThanOrEqual(4);
    expect((await run('compare', 'crm', '--with', to.url)).json).toMatchObject({ equal: true });
    const { exit, json } = await run('verify', 'crm');
    expect([exit, json.proofs[0].state]).toEqual([0, 'proven']);
    expect(json.proofs[0].checks.map(({ name, detail }: Record<string, string>) => `${name}: ${detail}`)).toEqual([
      'documents: 4 documents, expected 4',
      'documents companies: 2 documents, 2 were counted before an export of no one moment',
      'documents users: 1 documents, 1 were counted before an export of no one moment',
      'validate: some: companies has 2 documents, expected at least 2',
    ]);
    const { points } = (await run('history', 'crm')).json;
    expect(points[0].items).toEqual([
      { item: 'companies', count: 2, unit: 'documents' },
      { item: 'users', count: 1, unit: 'documents' },
    ]);
  });

  it('is of some collections where the plan names them, and imported by collection', async () => {
    expect((await run('backup', 'chosen')).exit).toBe(0);
    const to = place('part');
    expect((await run('restore', 'chosen', '--to', to.url, '--only', '/users')).json.items).toBe(1);
    const [crm, chosen] = await Promise.all(
      [
        ['crm', '/users'],
        ['chosen', '/users/ada'],
      ].map(([source, only]) => run('restore', source!, '--to', place(`no-${source}`).url, '--only', only!)),
    );
    expect([crm!.json.error.code, chosen!.json.error.code]).toEqual(['bad-usage', 'bad-usage']);
    expect((await run('verify', 'chosen')).json.proofs[0]).toMatchObject({ state: 'proven' });
  });

  it('is of the one minute that was counted where the database keeps it', async () => {
    const server = firestore.server!;
    const living = server.databaseOf(firestore.root);
    living.recoveryEnabledMicros = server.nowMicros() - 7200e6;
    server.advance(120_000);
    await firestore.write({ 'companies/late': {} });
    const source = firestoreSource(firestore, firestore, { bucket: 'gs://exports/minutes/' });
    const repository = await testRepository();
    server.admin.lostInExports = 1;
    const lossy = await errorOf(backUpFirestore(repository, source));
    server.admin.lostInExports = 0;
    expect(lossy).toMatchObject({ code: 'source-lost', message: expect.stringContaining('4 documents') });
    exports().clear();
    const { capture, files } = await backUpFirestore(repository, source);
    living.recoveryEnabledMicros = undefined;
    const [location, exported] = [...exports()].find(([each]) => each.startsWith('gs://exports/minutes/crm-'))!;
    expect(exported.documents.map(({ name }) => name).filter((name) => name.endsWith('late'))).toEqual([]);
    const said = { export: location, isOneMoment: true, documents: 4 };
    expect(capture.manifest.details).toMatchObject({ ...said, readTime: expect.stringMatching(/:00Z$/) });
    expect(JSON.parse(files.get('export.json')!)).toMatchObject(said);
    exports().delete(location);
    await firestore.client.commit(
      { database: living.name, writes: [{ delete: `${firestore.root}/companies/late` }] } as object,
      AS_OWNER,
    );
  });

  it('is not proven where the export has lost a document, or is gone', async () => {
    await run('backup', 'crm');
    const [location, exported] = [...exports()].filter(([each]) => each.includes('/crm-')).at(-1)!;
    exports().set(location, { ...exported, documents: exported.documents.slice(1) });
    const short = await run('verify', 'crm');
    expect([short.exit, short.json.proofs[0].state]).toEqual([4, 'failed']);
    expect(short.json.proofs[0].checksFailed).toContain('documents');
    const partial = await run('restore', 'crm', '--to', place('partial').url);
    expect([partial.exit, partial.json.problems[0]]).toMatchObject([3, { path: 'documents' }]);
    exports().delete(location);
    const gone = await run('verify', 'crm');
    expect(gone.json.proofs[0]).toMatchObject({ state: 'failed', checksFailed: ['restore'] });
    expect(gone.json.proofs[0].checks[0].detail).toContain(location);
    const to = place('gone');
    expect((await run('restore', 'crm', '--to', to.url)).json.error.code).toBe('object-missing');
  });

  it('is refused over its budget, into a directory, and onto documents, and called off with the backup', async () => {
    expect((await run('backup', 'dear')).json.sources[0].error.code).toBe('source-refused');
    const to = join(directory, 'there');
    expect((await run('restore', 'crm', '--to', to)).json.error.code).toBe('target-unsuitable');
    const full = await run('restore', 'crm', '--to', `firestore://${firestore.project}`);
    expect(full.json.error.code).toBe('target-not-empty');
    const { findings } = (await run('doctor', 'crm')).json.sources[0];
    expect(findings.map(({ about, level }: Record<string, string>) => `${about} ${level}`)).toEqual([
      ...['connection ok', 'point-in-time recovery warning', 'collections ok', 'managed export warning', 'indexes ok'],
    ]);
    expect(findings[1].message).toBe('is not enabled: an export is of no one moment');
    firestore.server!.denied.add('ExportDocuments');
    const denied = (await run('backup', 'crm')).json.sources[0].error;
    firestore.server!.denied.clear();
    expect(denied).toMatchObject({ code: 'source-refused', hint: expect.stringContaining('importExportAdmin') });
    const controller = new AbortController();
    const phase = (name: string) => name === 'exporting documents' && setImmediate(() => controller.abort());
    const source = firestoreSource(firestore, firestore, { bucket: 'gs://exports/aborted' });
    const context = { progress: { ...noProgress, phase }, signal: controller.signal };
    const error = await errorOf(backUpFirestore(await testRepository(), source, context));
    expect([error, firestore.server!.admin.cancelled.length]).toEqual([controller.signal.reason, 1]);
  });

  it('is followed by a backup of the documents where the plan changes, and each comes back as what it is', async () => {
    const plan = join(directory, 'holdfast.yaml');
    const managed = (await run('backup', 'crm')).json.sources[0].snapshot;
    writeFileSync(plan, readFileSync(plan, 'utf8').replace(/method: managed, bucket: [^,]*, /, ''));
    const backup = await run('backup', 'crm');
    expect(backup.json.sources).toMatchObject([{ outcome: 'complete' }]);
    for (const words of [['--snapshot', managed], []]) {
      const to = place(`changed-${words.length}`);
      expect((await run('restore', 'crm', '--to', to.url, ...words)).json.items).toBe(4);
    }
    const { points } = (await run('history', 'crm', 'companies')).json;
    expect(points.at(-1).items).toMatchObject([{ item: 'companies', count: 2, bytes: expect.any(Number) }]);
  });
});
