import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { IS_EMULATOR, startFirestore, type TestFirestore } from '../../support/firestore.ts';
import { DATABASE_SECRET, Omniflow } from './omniflow.ts';

describe.skipIf(IS_EMULATOR)('the runbooks of an application on Firestore', { timeout: 120_000 }, () => {
  let firestore: TestFirestore;
  let omniflow: Omniflow;
  beforeAll(async () => {
    firestore = await startFirestore();
  });
  beforeEach(async () => {
    omniflow = await Omniflow.open(firestore);
  });
  afterEach(() => omniflow.close());
  afterAll(() => firestore.close());

  it('bring back a collection that was deleted, beside the rest, which goes on changing', async () => {
    const { team, database } = omniflow;
    const { project } = database;
    await omniflow.protect();
    const before = await omniflow.documents();
    const writing = omniflow.writing('activities');
    const since = new Date().toISOString();
    const deleted = [...before.keys()].filter((path) => path.startsWith('deals/'));
    await omniflow.remove(deleted);
    await database.write({ 'deals/new': { name: { stringValue: 'since then' } } });
    const params = ['collection=/deals', `target=firestore://${project}`, `name=${project}`];
    const { ran, view } = await team.recover('accidental-deletion', [
      ...['--since', since, ...params.flatMap((each) => ['--param', each]), '--json'],
    ]);
    await writing.stop();
    expect(view.steps.flatMap(({ step, error }) => (error === undefined ? [] : [`${step}: ${error.message}`]))).toEqual(
      [],
    );
    expect(ran.exit, ran.stderr).toBe(0);
    expect(view.steps.find(({ step }) => step === 'scope')?.outputs['differences']).toBeGreaterThan(0);
    const after = await omniflow.documents();
    for (const path of deleted) expect(after.get(path)?.fields).toBe(before.get(path)!.fields);
    // What was written since stays, in the same collection too; and nothing else was written even once more.
    expect(after.has('deals/new')).toBe(true);
    for (const [path, seen] of before) if (!path.startsWith('deals/')) expect(after.get(path), path).toEqual(seen);
    expect(writing.acknowledged.length).toBeGreaterThan(20);
    expect(writing.acknowledged.filter((path) => !after.has(path))).toEqual([]);
    expect(after.size).toBe(before.size + 1 + writing.acknowledged.length);
  });

  it('take the place of a corrupted database by a new one, with nobody writing meanwhile', async () => {
    const { team, database, secrets } = omniflow;
    const clean = await omniflow.protect();
    const before = await omniflow.documents();
    const since = new Date().toISOString();
    const corrupted = Object.fromEntries([...before.keys()].map((path) => [path, { name: { stringValue: '???' } }]));
    await database.write(corrupted);
    // The newest backup has what is corrupted.
    await team.document('backup', 'crm');
    const target = `firestore://${database.project}/restored`;
    let writesDuring: string[] = [];
    const { ran, view } = await team.recover(
      'database-corruption',
      ['--since', since, '--param', `target=${target}`, '--json'],
      {
        agree: () => {
          writesDuring = omniflow.asked('/maintenance').map(({ method }) => method);
        },
      },
    );
    expect(view.steps.flatMap(({ step, error }) => (error === undefined ? [] : [`${step}: ${error.message}`]))).toEqual(
      [],
    );
    expect(ran.exit, ran.stderr).toBe(0);
    const outputs = (step: string) => view.steps.find((each) => each.step === step)!.outputs;
    expect(outputs('scope')['differences']).toBeGreaterThan(0);
    expect(outputs('point')).toMatchObject({
      snapshot: clean.snapshot,
      reason: expect.stringContaining('passed over'),
    });
    expect(writesDuring).toEqual(['PUT']);
    expect(omniflow.asked('/maintenance').map(({ method }) => method)).toEqual(['PUT', 'DELETE']);
    const restored = await omniflow.documents(`projects/${database.project}/databases/restored/documents`);
    expect([...restored].map(([path, { fields }]) => [path, fields])).toEqual(
      [...before].map(([path, { fields }]) => [path, fields]),
    );
    expect(secrets.values(DATABASE_SECRET)?.at(-1)).toBe(target);
    // The old one stays as it is, for whoever looks for the cause.
    const old = await omniflow.documents();
    expect([...old.values()].every(({ fields }) => fields.includes('???'))).toBe(true);
    expect(team.questions.map((each) => each.split(':')[0])).toEqual(['agree', 'cause']);
  });

  it('bring all of it back in another region, and tell people', async () => {
    const { team, database, secrets, mail } = omniflow;
    await omniflow.protect();
    const before = await omniflow.documents();
    const since = new Date().toISOString();
    const target = `firestore://${database.project}-backup`;
    const { ran, view } = await team.recover('system-failure', [
      ...['--since', since, '--param', `target=${target}`, '--json'],
    ]);
    expect(view.steps.flatMap(({ step, error }) => (error === undefined ? [] : [`${step}: ${error.message}`]))).toEqual(
      [],
    );
    expect(ran.exit, ran.stderr).toBe(0);
    const restored = await omniflow.documents(`projects/${database.project}-backup/databases/(default)/documents`);
    expect([...restored.keys()]).toEqual([...before.keys()]);
    expect(secrets.values(DATABASE_SECRET)?.at(-1)).toBe(target);
    expect(readFileSync(join(omniflow.directory, 'deployed.log'), 'utf8')).toBe('deployed to backup-region\n');
    expect(omniflow.asked('/pager')[0]?.body).toContain(view.id);
    expect(mail.mails.flatMap(({ to }) => to)).toContain('lead@example');
    const told = omniflow.asked('/status').map(({ body }) => body);
    expect(told[0]).toContain('is not available');
    expect(told.at(-1)).toContain('is available again');
    expect(view.rtoMs).toBeLessThan(4 * 3_600_000);
    expect(team.questions.map((each) => each.split(':')[0])).toEqual(['integrations']);
  });
});
