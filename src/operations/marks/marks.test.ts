import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { document, holdfast, initialise } from '../../../test/support/cli.ts';
import { DaemonPlace } from '../../../test/support/daemon.ts';
import { loadPlan } from '../../plan/index.ts';
import { backup } from '../backup/backup.ts';
import { choosePoint } from '../points/choose-point.ts';
import { prune } from '../prune/prune.ts';
import { retain } from '../retain/retain.ts';
import { listAll } from '../snapshots/snapshots.ts';
import { verify } from '../verify/verify.ts';
import { Workspace } from '../workspace.ts';
import { clearSuspicion, hold, unhold } from './hold.ts';

const HOUR_MS = 3600_000;

/** A plan that keeps two snapshots of `one`, and one of each copy in an archive. */
async function prepared(): Promise<{ place: DaemonPlace; open(): Promise<Workspace> }> {
  const place = new DaemonPlace('2026-03-02T00:00:00Z');
  mkdirSync(join(place.directory, 'one'));
  writeFileSync(
    join(place.directory, 'holdfast.yaml'),
    `version: 1
name: test
repositories:
  main: { store: ./repository, password: { env: HOLDFAST_PASSWORD } }
  cold: { store: ./cold, password: { env: HOLDFAST_PASSWORD }, copies: { from: main, sources: [one] }, retention: { last: 1 } }
sources:
  one: { type: files, paths: [${place.directory}/one], schedule: hourly, retention: { last: 2 }, objectives: { rpo: 2h } }
`,
  );
  await initialise(place.directory);
  await initialise(place.directory, 'cold');
  const open = async () => new Workspace(await loadPlan({ cwd: place.directory, env: {} }), place.environment);
  return { place, open };
}

async function backUp(
  { place, open }: Awaited<ReturnType<typeof prepared>>,
  content: Buffer | string,
): Promise<string> {
  place.clock.pass(HOUR_MS);
  writeFileSync(join(place.directory, 'one', 'file'), content);
  const [outcome] = await backup(await open(), ['one']);
  if (outcome?.outcome !== 'complete') throw new Error('no backup');
  return outcome.snapshot;
}

const idsOf = async (workspace: Workspace) => (await listAll(workspace, 'one')).snapshots.map(({ id }) => id);

describe('a snapshot that is held', () => {
  it('stays whatever the retention says, with its copies, until it is released', async () => {
    const prep = await prepared();
    const { place, open } = prep;
    const first = await backUp(prep, 'first');
    expect((await holdfast(place.directory, ['replicate', 'cold'])).exit).toBe(0);
    const held = document(await holdfast(place.directory, ['hold', first.slice(0, 8), '--why', 'evidence', '--json']));
    expect(held).toMatchObject({ snapshot: first, why: 'evidence', repositories: ['main', 'cold'] });
    const others = [await backUp(prep, 'second'), await backUp(prep, 'third'), await backUp(prep, 'fourth')];
    expect((await holdfast(place.directory, ['replicate', 'cold'])).exit).toBe(0);
    const {
      sources: [own, copies],
    } = await retain(await open(), [], { dryRun: false });
    expect(own!.snapshots.at(-1)!.reasons).toEqual([{ rule: 'held', why: 'evidence' }]);
    expect(copies!.snapshots.map(({ reasons }) => reasons.map(({ rule }) => rule))).toEqual([
      ['last', 'newest-complete'],
      ['held'],
    ]);
    expect(await idsOf(await open())).toEqual([first, ...others.slice(1)]);
    const listed = await holdfast(place.directory, ['snapshots', 'one']);
    expect(listed.stdout).toContain('held: evidence');

    await unhold(await open(), first.slice(0, 8));
    await retain(await open(), [], { dryRun: false });
    expect(await idsOf(await open())).toEqual(others.slice(1));
    await expect(unhold(await open(), first)).rejects.toMatchObject({ code: 'unknown-snapshot' });
    await expect(hold(await open(), first, 'too late')).rejects.toMatchObject({ code: 'unknown-snapshot' });
    const without = await holdfast(place.directory, ['hold', 'latest']);
    expect([without.exit, without.stderr]).toEqual([2, expect.stringContaining('reason')]);
  });
});

it('removes nothing while an incident is open', async () => {
  const prep = await prepared();
  const all = [await backUp(prep, 'first'), await backUp(prep, 'second'), await backUp(prep, 'third')];
  const { ledger } = await (await prep.open()).open('main');
  await ledger.append('incident.opened', { incident: 'a', why: 'test' });
  await expect(retain(await prep.open(), [], { dryRun: false })).rejects.toMatchObject({ code: 'incident-open' });
  await expect(prune(await prep.open(), [], { dryRun: false })).rejects.toMatchObject({ code: 'incident-open' });
  expect(await idsOf(await prep.open())).toEqual(all);
  await ledger.append('incident.closed', { incident: 'a' });
  // Another one began while the repository was away, and nothing has been recorded since.
  const { directory, environment } = prep.place;
  const own = { ...environment, stateDirectory: join(directory, 'state') };
  const here = async () => new Workspace(await loadPlan({ cwd: directory, env: {} }), own);
  const repository = join(directory, 'repository');
  renameSync(repository, `${repository}-away`);
  const { where } = await (await here()).recorder().record('incident.opened', { incident: 'b', why: 'the disk' });
  expect(where).toBe('journal');
  renameSync(`${repository}-away`, repository);
  await expect(retain(await here(), [], { dryRun: false })).rejects.toMatchObject({ code: 'incident-open' });
  await (await here()).recorder().record('incident.closed', { incident: 'b' });
  await retain(await prep.open(), [], { dryRun: false });
  expect(await idsOf(await prep.open())).toEqual(all.slice(1));
});

it('passes over what a person does not trust, and all that follows, until somebody says what it was', async () => {
  const prep = await prepared();
  const [clean, altered, later] = [await backUp(prep, 'a'), await backUp(prep, 'b'), await backUp(prep, 'c')];
  const chosen = async () => {
    const { snapshot } = await choosePoint(await prep.open(), {
      ...{ source: 'one', choose: 'latest-clean', sinceMs: prep.place.clock.nowMs() + HOUR_MS },
    });
    return snapshot;
  };
  for (const id of [clean, altered, later]) {
    const { proofs } = await verify(await prep.open(), { sources: ['one'], snapshot: id });
    expect(proofs).toMatchObject([{ state: 'proven' }]);
  }
  expect(await chosen()).toBe(later);
  const run = (...words: string[]) => holdfast(prep.place.directory, words);
  const marked = await run('suspect', altered.slice(0, 8), '--why', 'somebody was in', '--json');
  expect(document(marked)).toMatchObject({ source: 'one', snapshot: altered, why: 'somebody was in' });
  expect(await chosen()).toBe(clean);
  expect((await listAll(await prep.open(), 'one')).latestClean).toBe(clean);
  expect((await run('snapshots', 'one')).stdout).toContain('somebody was in');
  expect((await run('suspect', altered, '--why', ' ')).stderr).toContain('this takes a reason');
  expect((await run('unsuspect', altered, '--why', 'it was a test', '--json')).exit).toBe(0);
  expect(await chosen()).toBe(later);
});

it('marks what was encrypted, passes over all that follows, and keeps what was before until somebody says what it was', async () => {
  const prep = await prepared();
  const { open, place } = prep;
  const text = (seed: number) => Array.from({ length: 6000 }, (_, at) => `line ${at * seed} of the file\n`).join('');
  for (let seed = 1; seed <= 9; seed++) await backUp(prep, text(seed));
  const clean = (await listAll(await open(), 'one')).snapshots.at(-1)!.id;
  expect((await listAll(await open(), 'one')).latestClean).toBe(clean);
  const copyToArchive = async () => expect((await holdfast(place.directory, ['replicate', 'cold'])).exit).toBe(0);
  await copyToArchive();
  const attacked = await backUp(prep, randomBytes(150_000));
  await backUp(prep, randomBytes(150_000));
  await backUp(prep, randomBytes(150_000));
  const { snapshots, latestClean } = await listAll(await open(), 'one');
  expect(snapshots.find(({ id }) => id === attacked)?.suspected?.why).toContain('takes 99 % of its size');
  expect(latestClean).toBe(clean);
  await copyToArchive();
  const {
    sources: [, copies],
  } = await retain(await open(), [], { dryRun: false });
  expect((await idsOf(await open()))[0]).toBe(clean);
  expect(copies!.snapshots.map(({ reasons }) => reasons.map(({ rule }) => rule))).toEqual([
    ['last', 'newest-complete'],
    ['latest-clean'],
  ]);
  const marked = (await listAll(await open(), 'one')).snapshots.filter(({ suspected }) => suspected !== undefined);
  for (const { id } of [{ id: attacked }, ...marked.filter(({ id }) => id !== attacked)]) {
    await clearSuspicion(await open(), id, 'an import');
  }
  expect((await listAll(await open(), 'one')).latestClean).toBe((await idsOf(await open())).at(-1));
});
