import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mirroredWorkspace, plannedFiles } from '../../../test/support/mirrored.ts';
import { PASSWORD, testDirectory, testRepository } from '../../../test/support/repository.ts';
import type { Plan } from '../../plan/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { backupGroup } from './backup-group.ts';
import { groupTargets, restoreGroup } from './restore-group.ts';
import { verifyGroup } from './verify-group.ts';

/** Two directories that belong together, each in a repository of its own, which were backed up together. */
async function twoRepositories() {
  const directory = testDirectory();
  const stores = { main: new MemoryStore(), other: new MemoryStore() };
  for (const store of Object.values(stores)) await testRepository(store);
  const sources = ['first', 'second'].map((name) => {
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, 'file'), name);
    const repository = name === 'first' ? 'main' : 'other';
    return plannedFiles(name, join(directory, name), { repository }).sources;
  });
  const repository = (name: string) =>
    [name, { name, store: `/${name}`, password: PASSWORD, s3: { pathStyle: false } }] as const;
  const plan: Partial<Plan> = {
    sources: new Map(sources.flatMap((each) => [...each])),
    repositories: new Map([repository('main'), repository('other')]),
    mirrors: new Map(),
    groups: new Map([['both', { name: 'both', sources: ['first', 'second'], validate: [] }]]),
  };
  await backupGroup(mirroredWorkspace(stores, plan), 'both');
  return { directory, workspace: () => mirroredWorkspace(stores, plan), stores };
}

describe('a group of which one repository is lost', () => {
  it('gives back what lies in the others, says what does not come and why, and records it where it can', async () => {
    const { directory, workspace, stores } = await twoRepositories();
    for await (const { key } of stores.main.list('')) await stores.main.delete(key);
    const to = join(directory, 'back');
    const { members, notes } = await restoreGroup(workspace(), { group: 'both', to: [to] });
    expect(members).toMatchObject([
      { source: 'first', outcome: 'failed', error: { code: 'no-repository' } },
      { source: 'second', outcome: 'complete' },
    ]);
    expect(notes).toEqual([]);
    expect(readFileSync(join(to, 'second', directory, 'second', 'file'), 'utf8')).toBe('second');
    const proof = await verifyGroup(workspace(), { group: 'both' });
    expect(proof).toMatchObject({
      state: 'failed',
      members: [{ error: { code: 'no-repository' } }, { proof: { state: 'proven' } }],
    });
    const events = await (await workspace().open('other')).ledger.read();
    expect(events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['group.restored', 'group.verified']));
  });

  it('comes back from the repository that is named, whatever has become of the own ones', async () => {
    const { directory, workspace, stores } = await twoRepositories();
    for await (const { key } of stores.main.list('')) await stores.main.delete(key);
    const request = { group: 'both', to: [join(directory, 'back')], repository: 'other' };
    const { members, notes } = await restoreGroup(workspace(), request);
    expect(members.map(({ outcome }) => outcome)).toEqual(['failed', 'complete']);
    expect(notes).toEqual([]);
    await expect(restoreGroup(workspace(), { ...request, repository: 'nowhere' })).rejects.toMatchObject({
      code: 'unknown-repository',
    });
    expect(existsSync(join(directory, 'back', 'first'))).toBe(false);
  });
});

describe('the places that the sources of a group are restored to', () => {
  const group = { name: 'both', sources: ['first', 'second'] };

  it('are a directory each, or what is named', () => {
    expect([...groupTargets(group, ['/back', 'second=redis://h'])]).toEqual([
      ['first', '/back/first'],
      ['second', 'redis://h'],
    ]);
    expect(groupTargets(group, ['first=secretmanager://omni', 'second=secretmanager://omni']).size).toBe(2);
  });

  it.each([
    [['first=redis://h/0', 'second=redis://h/0'], 'first and second have the same target'],
    [['/back', 'second=mysql://h/x'], 'neither a directory nor the URL of a database'],
  ])('are refused where two share a database, and where nothing can be restored to one: %j', (to, why) => {
    expect(() => groupTargets(group, to)).toThrow(why);
  });
});
