import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { initialise, PASSWORD, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { IS_EMULATOR, startFirestore, type TestFirestore } from '../support/firestore.ts';

let firestore: TestFirestore;
let directory: string;

beforeAll(async () => {
  vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
  firestore = await startFirestore();
  directory = mkdtempSync(join(tmpdir(), 'holdfast-firestore-'));
  writeFileSync(join(directory, 'note'), 'kept');
  const crm = `type: firestore, project: ${firestore.project}, emulator: '${firestore.host}'`;
  writePlan(
    directory,
    `  crm: { ${crm}, prices: { reads: 1000 } }
  dear: { ${crm}, budget: { reads: 2 } }
  notes: { type: files, paths: [${directory}/note] }`,
  );
  await initialise(directory);
  await firestore.write({
    'companies/acme': { n: { integerValue: '1' } },
    'companies/acme/deals/1': {},
    'users/ada': {},
  });
});

afterAll(async () => {
  await firestore.close();
  vi.unstubAllEnvs();
});

const run = (...words: string[]) => runHere(join(directory, 'holdfast.yaml'), ...words);

describe('Firestore on the command line', () => {
  it.skipIf(IS_EMULATOR)('is estimated before it is backed up, and takes as much', async () => {
    const { exit, json } = await run('backup', 'crm', 'notes', '--estimate');
    expect([exit, json.sources[1]]).toEqual([0, { source: 'notes', outcome: 'free' }]);
    const [{ items, reads, cost }] = json.sources;
    expect(items).toBe(3);
    expect(cost).toBeCloseTo(reads / 100);
    expect((await run('snapshots')).json.snapshots).toEqual([]);

    const before = firestore.server!.charged.reads;
    const backup = await run('backup', 'crm');
    expect(backup).toMatchObject({ exit: 0, json: { sources: [{ outcome: 'complete', problems: [] }] } });
    expect(Math.abs(firestore.server!.charged.reads - before - reads)).toBeLessThan(6);
    const { entries } = (await run('ls', 'latest', '/data/documents')).json;
    expect(JSON.stringify(entries)).toMatch(/companies.*users/s);
  });

  it('fails by itself where it is over its budget', async () => {
    const { exit, json } = await run('backup', 'dear', 'notes');
    expect(exit).toBe(1);
    expect(json.sources).toMatchObject([
      { source: 'dear', outcome: 'failed', error: { code: 'source-refused' } },
      { source: 'notes', outcome: 'complete' },
    ]);
  });

  it('is looked at by doctor', async () => {
    const { json } = await run('doctor', 'crm');
    const [{ findings, type }] = json.sources;
    expect(type).toBe('firestore');
    expect(findings[0]).toMatchObject({ level: 'ok', about: 'connection' });
  });
});
