import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { document, holdfast, scratchDirectory } from '../../../test/support/cli.ts';
import { DaemonPlace } from '../../../test/support/daemon.ts';
import { testRepository } from '../../../test/support/repository.ts';
import { type LoadedPlan, loadPlan } from '../../plan/index.ts';
import { createLocalStore } from '../../store/local/index.ts';
import { approvalsIn, approve, listApprovals, type Person } from '../approvals/approvals.ts';
import { retain } from '../retain/retain.ts';
import { listReviews, recordReview } from '../reviews/reviews.ts';
import { unlock } from '../unlock/unlock.ts';
import { Workspace } from '../workspace.ts';
import { applyPlan, planDifference, revisionsOf } from './revisions.ts';

const DAY_MS = 24 * 3600_000;
const GUARDED = 'approvals: { twoPersons: [retention, unlock] }';

class Place {
  readonly at = new DaemonPlace('2026-03-02T00:00:00Z');

  static async make(more: string): Promise<Place> {
    const place = new Place();
    place.at.plan({ one: 'daily' }, more);
    await testRepository(createLocalStore(join(place.at.directory, 'repository')));
    return place;
  }

  /** Replaces text of the plan's file. */
  edit(from: string, to: string): void {
    const path = join(this.at.directory, 'holdfast.yaml');
    const text = readFileSync(path, 'utf8');
    expect(text).toContain(from);
    writeFileSync(path, text.replace(from, to));
  }

  async load(): Promise<{ workspace: Workspace; loaded: LoadedPlan }> {
    const loaded = await loadPlan({ cwd: this.at.directory, env: {} });
    return { loaded, workspace: new Workspace(loaded, this.at.environment) };
  }

  async apply(why: string, person: Person = {}) {
    const { workspace, loaded } = await this.load();
    return applyPlan(workspace, loaded, why, person);
  }

  async retain() {
    return retain((await this.load()).workspace, [], { dryRun: false });
  }
}

it('keeps each revision of the plan with its text, its author and why, and says what it weakens', async () => {
  const place = await Place.make('');
  await place.retain();
  expect(await place.apply('the first')).toMatchObject({ revision: 1, weakened: [], repositories: ['main'] });
  await expect(place.apply('the same')).rejects.toMatchObject({ code: 'bad-usage' });
  const first = readFileSync(join(place.at.directory, 'holdfast.yaml'), 'utf8');
  place.edit('last: 100', 'last: 10');
  place.edit('rpo: 40d', 'rpo: 80d');
  const { workspace, loaded } = await place.load();
  const difference = await planDifference(workspace, loaded);
  expect(difference.changes).toEqual([
    { path: 'sources.one.retention.last', kind: 'changed', before: 100, after: 10 },
    { path: 'sources.one.objectives.rpo', kind: 'changed', before: '40d', after: '80d' },
  ]);
  expect(difference.weakened.map(({ kind }) => kind)).toEqual(['retention', 'objective']);
  await expect(place.retain()).rejects.toMatchObject({ code: 'plan-not-applied' });
  await place.apply('less is enough');
  await place.retain();
  const revisions = await revisionsOf(workspace);
  expect(revisions.map(({ revision, why, weakened }) => [revision, why, weakened?.length])).toEqual([
    [1, 'the first', undefined],
    [2, 'less is enough', 2],
  ]);
  expect(revisions[0]!.text).toBe(first);
});

it('lets nobody shorten a retention alone, nor take back that it takes two', async () => {
  const place = await Place.make(GUARDED);
  await place.apply('the first', { by: 'anna' });
  place.edit('last: 100', 'last: 10');
  place.edit(GUARDED, '');
  await expect(place.apply('less', { by: 'anna' })).rejects.toMatchObject({ code: 'approval-needed' });
  await expect(place.apply('less', { by: 'anna' })).rejects.toMatchObject({ code: 'approval-needed' });
  const { workspace } = await place.load();
  const [asked, ...more] = await listApprovals(workspace);
  expect(more).toEqual([]);
  await expect(approve(workspace, asked!.approval, { by: 'anna' })).rejects.toMatchObject({ code: 'approval-refused' });
  await expect(place.apply('less', { by: 'anna' })).rejects.toMatchObject({ code: 'approval-needed' });
  await expect(place.retain()).rejects.toMatchObject({ code: 'plan-not-applied' });
  expect(await approve(workspace, asked!.approval, { by: 'ben' })).toMatchObject({ givenBy: 'ben', state: 'given' });
  // What was agreed to is this text and no other.
  place.edit('last: 10', 'last: 1');
  await expect(place.apply('much less', { by: 'anna' })).rejects.toMatchObject({ code: 'approval-needed' });
  place.edit('last: 1', 'last: 10');
  expect(await place.apply('less', { by: 'anna' })).toMatchObject({ revision: 2 });
  await place.retain();
});

it('uses an approval up, and lets it expire', async () => {
  const place = await Place.make(GUARDED);
  const all = { all: true, dryRun: false };
  const { workspace } = await place.load();
  await expect(unlock(workspace, all)).rejects.toMatchObject({ code: 'approval-needed' });
  const [first] = await listApprovals(workspace);
  await approve(workspace, first!.approval, { by: 'somebody else' });
  await unlock(workspace, all);
  await expect(unlock(workspace, all)).rejects.toMatchObject({ code: 'approval-needed' });
  await unlock(workspace, { all: false, dryRun: false });
  place.at.clock.pass(7 * DAY_MS);
  const [, second] = await listApprovals(workspace);
  expect(second).toMatchObject({ state: 'expired' });
  await expect(approve(workspace, second!.approval, { by: 'somebody else' })).rejects.toMatchObject({
    code: 'unknown-approval',
  });
  // Whatever somebody wrote into the ledger by hand.
  const { ledger } = await workspace.open('main');
  await ledger.append('approval.asked', { approval: 'x', action: 'unlock', subject: 's', why: '', by: 'anna' });
  await ledger.append('approval.given', { approval: 'x', by: 'anna' });
  const [forged] = approvalsIn(await ledger.read(), place.at.clock.nowMs()).filter(({ approval }) => approval === 'x');
  expect(forged!.state).toBe('waiting');
});

it('has another person agree before what takes two takes one, whatever else is on the list', async () => {
  const place = await Place.make('approvals: { twoPersons: [unlock] }');
  await place.apply('the first');
  place.at.plan({ one: 'daily' });
  await expect(place.apply('alone')).rejects.toMatchObject({ code: 'approval-needed' });
  const { workspace } = await place.load();
  const [asked] = await listApprovals(workspace);
  await approve(workspace, asked!.approval, { by: 'somebody else' });
  expect(await place.apply('together')).toMatchObject({ revision: 2 });
});

it('says when reviews are due, and takes who attended', async () => {
  const place = await Place.make('reviews: { strategy: monthly, audit: yearly }');
  await place.apply('the first');
  const { workspace } = await place.load();
  const due = async () => (await listReviews(workspace)).due.map((each) => [each.review, each.due, each.isOverdue]);
  expect(await due()).toEqual([
    ['strategy', '2026-04-01T00:00:00.000Z', false],
    ['audit', '2027-01-01T00:00:00.000Z', false],
  ]);
  place.at.clock.passUntil('2026-04-01T00:00:00Z');
  expect((await due())[0]).toEqual(['strategy', '2026-04-01T00:00:00.000Z', true]);
  await recordReview(workspace, { review: 'strategy', attended: ['Anna', 'Ben'], note: 'well' });
  expect((await due())[0]).toEqual(['strategy', '2026-05-01T00:00:00.000Z', false]);
  expect((await listReviews(workspace)).recorded).toMatchObject([{ attended: ['Anna', 'Ben'], note: 'well' }]);
  await expect(recordReview(workspace, { review: 'plan', attended: ['Anna'] })).rejects.toMatchObject({
    code: 'bad-usage',
  });
  await expect(recordReview(workspace, { review: 'audit', attended: [' '] })).rejects.toMatchObject({
    code: 'bad-usage',
  });
});

it('is said on the command line', async () => {
  const directory = scratchDirectory();
  const plan = (last: number) =>
    `version: 1\nname: test\nrepositories:\n  main: { store: ./repository, password: { env: HOLDFAST_PASSWORD } }\nsources:\n  one: { type: files, paths: [${directory}], schedule: daily, retention: { last: ${last} } }\nreviews: { plan: quarterly }\n${GUARDED}\n`;
  writeFileSync(join(directory, 'holdfast.yaml'), plan(10));
  await testRepository(createLocalStore(join(directory, 'repository')));
  const run = async (...words: string[]) => holdfast(directory, words);
  expect((await run('plan', 'apply')).exit).toBe(2);
  expect(document(await run('plan', 'apply', '-m', 'first', '--json'))).toMatchObject({ revision: 1 });
  writeFileSync(join(directory, 'holdfast.yaml'), plan(5));
  const diff = await run('plan', 'diff');
  expect(diff.stdout).toContain('~ sources.one.retention.last: 10 -> 5');
  expect(diff.stdout).toContain('weakened the retention of one is shorter');
  const refused = await run('plan', 'apply', '-m', 'less');
  expect([refused.exit, refused.stderr]).toEqual([1, expect.stringContaining('holdfast approve ')]);
  const [{ approval }] = document(await run('approve', '--json')).approvals;
  const own = await run('approve', approval);
  expect([own.exit, own.stderr]).toEqual([1, expect.stringContaining('cannot agree to it alone')]);
  const shown = await run('plan', 'show', '--revision', '1');
  expect(shown.stdout).toContain('last: 10');
  expect(shown.stdout).toContain(': first');
  expect((await run('plan', 'show', '--revision', '2')).exit).toBe(2);
  expect((await run('review', 'record', 'plan', '--attended', 'Anna', '--attended', 'Ben')).stdout).toContain(
    'recorded',
  );
  expect((await run('review', 'list')).stdout).toContain('Anna, Ben');
});
