import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { initialise } from '../../../test/support/cli.ts';
import { DaemonPlace } from '../../../test/support/daemon.ts';
import { newSigningKey } from '../../evidence/index.ts';
import { loadPlan } from '../../plan/index.ts';
import { Workspace } from '../workspace.ts';
import { rotateSigningKey } from './change-key.ts';
import { openKeyList } from './key-list.ts';
import { listedIn, listSigningKey } from './key-register.ts';
import { readSigningKey } from './signing-key.ts';

/** Two machines of one plan, each with the key that signs. */
async function twoMachines(isDeciding: boolean): Promise<[Workspace, Workspace]> {
  const place = new DaemonPlace('2026-03-02T00:00:00Z');
  writeFileSync(
    join(place.directory, 'holdfast.yaml'),
    `version: 1
name: test
repositories: { main: { store: ${place.directory}/repository, password: { env: HOLDFAST_PASSWORD } } }
sources: { one: { type: files, paths: [/srv/one] } }
ledger: { signingKey: { file: signing.pem } }
`,
  );
  writeFileSync(join(place.directory, 'signing.pem'), newSigningKey(), { mode: 0o600 });
  const other = mkdtempSync(join(tmpdir(), 'machine-'));
  for (const file of ['holdfast.yaml', 'signing.pem']) cpSync(join(place.directory, file), join(other, file));
  await initialise(place.directory);
  const { adapters } = place.environment;
  const openStore: typeof adapters.openStore = async (...how) => {
    const store = await adapters.openStore(...how);
    const capabilities = await store.capabilities();
    return Object.assign(store, { capabilities: async () => ({ ...capabilities, conditionalPut: isDeciding }) });
  };
  const environment = { ...place.environment, adapters: { ...adapters, openStore } };
  const open = async (cwd: string) => new Workspace(await loadPlan({ cwd, env: {} }), environment);
  return [await open(place.directory), await open(other)];
}

describe('two who record the first key at once', () => {
  it.each([
    ['a store that decides which of two was first', true],
    ['one that does not', false],
  ])('both have the one list that is recorded, in %s', async (_, isDeciding) => {
    const machines = await twoMachines(isDeciding);
    const listed = await Promise.all(
      machines.map(async (machine) => listSigningKey(machine, await readSigningKey(machine))),
    );
    expect(listed[0]!.list).toEqual(listed[1]!.list);
    expect(await listedIn(await machines[0].open('main'))).toHaveLength(1);
  });
});

describe('two who change the signing keys at once', () => {
  it.each([
    ['a store that decides which of two was first', true],
    ['one that does not', false],
  ])('record one list of each revision, in %s', async (_, isDeciding) => {
    const [one, other] = await twoMachines(isDeciding);
    const ended = await Promise.allSettled([rotateSigningKey(one), rotateSigningKey(other)]);
    const refused = ended.filter((each) => each.status === 'rejected');
    expect([...new Set(refused.map(({ reason }) => reason.code))]).toEqual(['repository-locked']);
    const lists = (await listedIn(await one.open('main'))).map((text) => openKeyList(text).revision);
    expect(lists).toEqual([...new Set(lists)]);
    expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(lists.length);
  });
});
