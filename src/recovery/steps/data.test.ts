import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mirroredWorkspace, plannedFiles } from '../../../test/support/mirrored.ts';
import { testDirectory, testRepository } from '../../../test/support/repository.ts';
import { describeStep } from '../../../test/support/step-conformance.ts';
import { contextOf, type StepContextOptions } from '../../../test/support/steps.ts';
import { backup as backUp, replicate, type Workspace } from '../../operations/index.ts';
import { buildStep, type Plan, stepSchema } from '../../plan/index.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { backup } from './backup.ts';
import { compare } from './compare.ts';
import { recoveryPoint } from './recovery-point.ts';
import { restore } from './restore/index.ts';
import { verify } from './verify.ts';

const OLD = '2020-01-01T00:00:00Z';

/** Files that were backed up once, in a repository with a mirror. */
async function uploads({ steps = [], mirror = false }: { steps?: object[]; mirror?: boolean } = {}) {
  const directory = testDirectory();
  const living = join(directory, 'living');
  mkdirSync(living);
  writeFileSync(join(living, 'a'), 'first');
  writeFileSync(join(living, 'b'), 'second');
  const stores = { main: new FaultyStore(new MemoryStore()), ...(mirror && { eu: new MemoryStore() }) };
  await testRepository(stores.main);
  const documents = steps.map((each) => stepSchema.parse(each));
  const it = { steps: documents.map((each, index) => buildStep(each, documents[index - 1]?.id)) };
  const plan: Partial<Plan> = {
    ...plannedFiles('uploads', living),
    directory,
    runbooks: new Map([['it', it]]) as unknown as Plan['runbooks'],
  };
  const open = (): Workspace => mirroredWorkspace(stores, plan);
  const workspace = open();
  await backUp(workspace, ['uploads']);
  if (mirror) await replicate(workspace, ['eu']);
  return { directory, living, workspace, stores, open };
}

type Uploads = Awaited<ReturnType<typeof uploads>>;

const restored = ({ living }: Uploads, to: string): string => join(to, living);
const world = (directory: string) => async () =>
  JSON.stringify(readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort());

describeStep(
  'compare',
  async () => {
    const own = await uploads();
    const context = (more = {}, options: StepContextOptions = {}) =>
      contextOf(own.workspace, { do: 'compare', source: 'uploads', ...more }, options);
    return {
      kind: compare,
      works: (more) => context({}, more),
      world: world(own.directory),
      obstructed: { context: () => context({ at: OLD }), says: /has no snapshot that old/ },
      fails: () => context({ at: OLD }),
      secrets: [],
    };
  },
  { without: ['slow'] },
);

describeStep(
  'recovery-point',
  async () => {
    const own = await uploads();
    const context = (more = {}, options: StepContextOptions = {}) =>
      contextOf(own.workspace, { do: 'recovery-point', source: 'uploads', ...more }, options);
    return {
      kind: recoveryPoint,
      works: (more) => context({ choose: 'latest' }, more),
      world: world(own.directory),
      obstructed: { context: () => context(), says: /no recovery point that is proven: 1 not proven/ },
      fails: () => context(),
      secrets: [],
    };
  },
  { without: ['slow'] },
);

describeStep(
  'restore',
  async () => {
    const own = await uploads();
    // As the engine does before it runs a step.
    const context = (to: string, options: StepContextOptions = {}) =>
      contextOf(own.workspace, { do: 'restore', source: 'uploads', to }, options);
    return {
      kind: restore,
      works: (more) => context('back', more),
      world: world(own.directory),
      isDone: async () => readFileSync(join(restored(own, join(own.directory, 'back')), 'b'), 'utf8') === 'second',
      obstructed: { context: () => context('living'), says: /living is not empty/ },
      fails: () => context('living'),
      secrets: [],
    };
  },
  { without: ['slow'] },
);

describeStep(
  'verify',
  async () => {
    const own = await uploads();
    const wrong = join(own.directory, 'wrong');
    mkdirSync(wrong);
    const context = (more = {}, options: StepContextOptions = {}) =>
      contextOf(own.workspace, { do: 'verify', sources: ['uploads'], ...more }, options);
    return {
      kind: verify,
      works: (more) => context({}, more),
      world: world(own.directory),
      obstructed: { context: () => context({ at: OLD }), says: /has no snapshot that old/ },
      fails: () => context({ against: 'wrong' }),
      secrets: [],
    };
  },
  { without: ['slow'] },
);

describeStep(
  'backup',
  async () => {
    const own = await uploads();
    const gone = await uploads();
    rmSync(gone.living, { recursive: true });
    const context = ({ workspace }: Uploads, options: StepContextOptions = {}) =>
      contextOf(workspace, { do: 'backup', sources: ['uploads'], prove: true }, options);
    return {
      kind: backup,
      works: (more) => context(own, more),
      world: world(own.directory),
      obstructed: { context: () => context(gone), says: /uploads: .*living/ },
      fails: () => context(gone),
      secrets: [],
    };
  },
  { without: ['slow'] },
);

describe('a restore of a runbook', () => {
  const to = (own: Uploads, options: StepContextOptions = {}, more = {}) =>
    contextOf(own.workspace, { do: 'restore', source: 'uploads', to: 'back', ...more }, options);

  it('tells what it restored, from when, and how much', async () => {
    const own = await uploads();
    const { outputs, summary, outcome } = await restore.run(to(own));
    const target = join(own.directory, 'back');
    expect(outputs).toMatchObject({ target, bytes: 11, time: expect.stringMatching(/^\d{4}-/) });
    expect(outputs).not.toHaveProperty('url');
    expect([outcome, summary]).toEqual(['done', expect.stringContaining(`to ${target}: 11 B`)]);
  });

  it('does not take for its own what somebody else restored there before', async () => {
    const own = await uploads();
    const context = to(own);
    await own.workspace.recorder().record('step.started', { run: 'INC-1', step: 'step', attempt: 1 });
    await restore.run({ ...context, run: { ...context.run, id: 'INC-2' } });
    await expect(restore.run(context)).rejects.toMatchObject({ code: 'target-not-empty' });
  });

  it('goes on from a mirror when the repository is away, and says so', async () => {
    const own = await uploads({ mirror: true });
    const told: string[] = [];
    own.stores.main.rule = () => 'before';
    const context = contextOf(own.open(), { do: 'restore', source: 'uploads', to: 'back' }, { told });
    await restore.run(context);
    expect(told.join('\n')).toMatch(/^main is away: /);
    expect(readFileSync(join(restored(own, join(own.directory, 'back')), 'a'), 'utf8')).toBe('first');
  });

  it.each([1, 2])(
    'goes on from a mirror when the repository goes away in the middle, at read %i of its data',
    async (at) => {
      const own = await uploads({ mirror: true });
      const told: string[] = [];
      let reads = 0;
      own.stores.main.rule = ({ method, key }) => {
        if (method === 'get' && key.startsWith('data/')) reads++;
        return reads >= at ? 'before' : undefined;
      };
      const context = contextOf(own.open(), { do: 'restore', source: 'uploads', to: 'back' }, { told });
      await restore.run(context);
      expect([reads >= at, told.join('\n')]).toEqual([true, expect.stringMatching(/^main is away: /)]);
      expect(readFileSync(join(restored(own, join(own.directory, 'back')), 'a'), 'utf8')).toBe('first');
    },
  );

  it('restores a part', async () => {
    const own = await uploads();
    await restore.run(to(own, {}, { only: [join(own.living, 'a')] }));
    expect(readdirSync(restored(own, join(own.directory, 'back')))).toEqual(['a']);
  });
});

describe('what was restored', () => {
  const RUNBOOK = [
    { id: 'back', do: 'restore', source: 'uploads', to: 'back', snapshot: 'x' },
    { id: 'step', do: 'verify', sources: ['uploads'], against: '${back.target}' },
  ];

  it('is held against the very recovery point that was restored, and not against a newer one', async () => {
    const own = await uploads({ steps: RUNBOOK });
    const { outputs } = await restore.run(contextOf(own.workspace, { do: 'restore', source: 'uploads', to: 'back' }));
    writeFileSync(join(own.living, 'a'), 'changed since');
    await backUp(own.workspace, ['uploads']);
    const against = String(outputs['target']);
    const known = { outputs: { 'back.snapshot': outputs['snapshot']!, 'back.target': against } };
    const document = { do: 'verify', sources: ['uploads'], against } as const;
    const result = await verify.run(contextOf(own.workspace, document, known));
    expect(result.outputs).toMatchObject({ outcome: 'passed', time: outputs['time'] });
    writeFileSync(join(restored(own, against), 'b'), 'altered');
    await expect(verify.run(contextOf(own.workspace, document, known))).rejects.toMatchObject({
      code: 'validation-failed',
    });
    expect(existsSync(join(restored(own, against), 'b'))).toBe(true);
  });
});

describe('a comparison of a runbook', () => {
  it('finds differences, which is no failure', async () => {
    const own = await uploads();
    writeFileSync(join(own.living, 'b'), 'altered');
    const told: string[] = [];
    const { outputs, outcome } = await compare.run(
      contextOf(own.workspace, { do: 'compare', source: 'uploads' }, { told }),
    );
    expect([outcome, outputs['differences']]).toEqual(['done', 2]);
    expect(told.join()).toContain('/b: content');
  });

  it('looks at another place where one is named', async () => {
    const own = await uploads();
    cpSync(own.living, join(own.directory, 'copy', own.living), { recursive: true, preserveTimestamps: true });
    const document = { do: 'compare', source: 'uploads', with: 'copy' } as const;
    const { outputs } = await compare.run(contextOf(own.workspace, document));
    expect(outputs['snapshot']).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('the backup that protects again', () => {
  it('is a failure where what it took is not proven', async () => {
    const own = await uploads();
    const check = { kind: 'exec' as const, name: 'never', exec: ['/bin/false'] };
    const workspace = mirroredWorkspace(own.stores, plannedFiles('uploads', own.living, { validate: [check] }));
    const context = contextOf(workspace, { do: 'backup', sources: ['uploads'], prove: true });
    await expect(backup.run(context)).rejects.toMatchObject({
      code: 'validation-failed',
      message: expect.stringContaining('validate: never'),
    });
  });

  it('says which snapshots it took', async () => {
    const own = await uploads();
    const { outputs } = await backup.run(contextOf(own.workspace, { do: 'backup', sources: ['uploads'] }));
    expect(outputs).toEqual({ snapshots: expect.stringMatching(/^[0-9a-f]{64}$/), proven: false });
  });
});

describe('a backup behind a promotion', () => {
  it.each([
    { what: 'records where the source is', state: 'done', kind: 'incident', moves: 1 },
    { what: 'records nothing where the promotion failed', state: 'failed', kind: 'incident', moves: 0 },
    { what: 'records nothing in a drill', state: 'done', kind: 'drill', moves: 0 },
  ] as const)('$what', async ({ state, kind, moves }) => {
    const to = { url: { env: 'NOT_SET' } };
    const documents = [
      { id: 'up', do: 'redis.promote', source: 'cache', ...to },
      { id: 'step', do: 'backup', sources: ['cache'] },
    ].map((each) => stepSchema.parse(each));
    const cache = { name: 'cache', type: 'redis', url: 'redis://127.0.0.1:1', method: 'replication', stream: false };
    const steps = documents.map((each, index) => buildStep(each, documents[index - 1]?.id));
    const plan = {
      sources: new Map([['cache', { ...cache, repository: 'main', objectives: {}, validate: [] }]]),
      runbooks: new Map([['it', { steps }]]),
    } as unknown as Partial<Plan>;
    const main = new MemoryStore();
    await testRepository(main);
    const workspace = mirroredWorkspace({ main }, plan);
    const context = contextOf(
      workspace,
      { do: 'backup', sources: ['cache'] },
      { kind, outputs: { 'up.state': state } },
    );
    await expect(backup.run(context)).rejects.toMatchObject({
      code: moves === 1 ? 'secret-unavailable' : 'source-unreachable',
    });
    const events = await (await workspace.open('main')).ledger.events({ kinds: ['source.moved'] });
    expect(events.map(({ body }) => body)).toMatchObject(moves === 0 ? [] : [{ source: 'cache', to, run: 'INC-1' }]);
  });
});

describe('a group', () => {
  /** Two directories, of which the second was backed up once more after the first. */
  async function both() {
    const directory = testDirectory();
    const sources = ['one', 'two'].map((name) => {
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, 'file'), name);
      return plannedFiles(name, join(directory, name)).sources;
    });
    const main = new MemoryStore();
    await testRepository(main);
    const plan: Partial<Plan> = {
      directory,
      sources: new Map(sources.flatMap((each) => [...each])),
      groups: new Map([['both', { name: 'both', sources: ['one', 'two'], validate: [] }]]),
    };
    const workspace = mirroredWorkspace({ main }, plan);
    await backUp(workspace, ['one', 'two']);
    return { directory, workspace };
  }

  it('has one moment at which each of it is as it is wanted, and none where one is not', async () => {
    const { workspace } = await both();
    const context = (choose: string) =>
      contextOf(workspace, { do: 'recovery-point', group: 'both', choose }, { sinceMs: Date.now() + 60_000 });
    const { outputs, summary } = await recoveryPoint.run(context('latest'));
    expect(Object.keys(outputs).sort()).toEqual(['lossMs', 'reason', 'time']);
    expect(summary).toMatch(/at which each of one, two is there/);
    await verify.run(contextOf(workspace, { do: 'verify', sources: ['one'] }));
    await expect(recoveryPoint.run(context('latest-clean'))).rejects.toMatchObject({ code: 'unknown-snapshot' });
    await verify.run(contextOf(workspace, { do: 'verify', sources: ['two'] }));
    expect((await recoveryPoint.run(context('latest-clean'))).summary).toMatch(/proven and not suspect/);
  });

  it('comes back side by side, and once more after a death without what is there already', async () => {
    const { directory, workspace } = await both();
    const context = contextOf(workspace, { do: 'restore', group: 'both', to: 'back' });
    expect((await restore.foresee(context)).obstacles).toEqual([]);
    const first = await restore.run(context);
    expect(first).toMatchObject({ outcome: 'done', outputs: { target: join(directory, 'back'), bytes: 6 } });
    // It died before the second was begun.
    rmSync(join(directory, 'back', 'two'), { recursive: true });
    const again = await restore.run(context);
    expect(again).toMatchObject({ outcome: 'done', outputs: { bytes: 6 } });
    expect(readFileSync(join(directory, 'back', 'two', directory, 'two', 'file'), 'utf8')).toBe('two');
  });

  it('is partial where one of it does not come back', async () => {
    const { directory, workspace } = await both();
    mkdirSync(join(directory, 'back', 'two'), { recursive: true });
    writeFileSync(join(directory, 'back', 'two', 'mine'), '');
    const context = contextOf(workspace, { do: 'restore', group: 'both', to: 'back' });
    expect((await restore.foresee(context)).obstacles).toEqual([expect.stringMatching(/^two: .* is not empty$/)]);
    const { outcome, summary } = await restore.run(context);
    expect([outcome, summary]).toEqual(['partial', expect.stringMatching(/two did not come back$/)]);
  });
});
