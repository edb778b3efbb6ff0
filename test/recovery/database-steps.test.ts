import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backup as backUp, type Workspace } from '../../src/operations/index.ts';
import { buildStep, type Plan, type PostgresSource, stepSchema } from '../../src/plan/index.ts';
import { connectionUpdate } from '../../src/recovery/steps/connection-update/index.ts';
import { restore } from '../../src/recovery/steps/restore/index.ts';
import { verify } from '../../src/recovery/steps/verify.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { mirroredWorkspace } from '../support/mirrored.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { testDirectory, testRepository } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { contextOf, type StepContextOptions } from '../support/steps.ts';

const PASSWORD = 'p@ss/word';
const STEPS = [
  { id: 'back', do: 'restore', source: 'db', to: { env: 'TARGET' } },
  { id: 'check', do: 'verify', sources: ['db'], against: '${back.target}' },
  { id: 'switch', do: 'connection.update', set: { file: 'app.env', key: 'URL' }, value: '${back.url}' },
];

describe.skipIf(!requires('postgresql'))('steps on a database', () => {
  let server: TestServer;
  let workspace: Workspace;
  let target: string;
  const directory = testDirectory();
  const outputs: NonNullable<StepContextOptions['outputs']> = {};

  beforeAll(async () => {
    server = await startTestServer();
    const url = await server.createDatabase('shop');
    await server.query('shop', 'create table customers as select generate_series(1, 100) as id');
    target = server.url('back').replace('@', `:${encodeURIComponent(PASSWORD)}@`);
    const source: PostgresSource = {
      ...{ name: 'db', type: 'postgres', url, method: 'logical', repository: 'main', objectives: {} },
      validate: [{ kind: 'sql', name: 'customers', sql: 'select count(*) >= 100 from customers' }],
    };
    const documents = STEPS.map((each) => stepSchema.parse(each));
    const it = { steps: documents.map((each, index) => buildStep(each, documents[index - 1]?.id)) };
    const plan: Partial<Plan> = {
      directory,
      sources: new Map([['db', source]]),
      standbys: new Map([['db-eu', { name: 'db-eu', of: 'db', url }]]),
      runbooks: new Map([['it', it]]) as unknown as Plan['runbooks'],
    };
    const store = new MemoryStore();
    await testRepository(store);
    workspace = mirroredWorkspace({ main: store }, plan).within({ variables: { TARGET: target } });
    await backUp(workspace, ['db']);
  });
  afterAll(() => server.stop());

  it('restore to a URL that is a secret, of which nothing but the password stays one', async () => {
    const context = contextOf(workspace, { id: 'back', do: 'restore', source: 'db', to: { env: 'TARGET' } });
    const { obstacles, does } = await restore.foresee(context);
    expect([obstacles, does]).toEqual([[], expect.stringContaining('the place that "$TARGET" holds')]);
    const result = await restore.run(context);
    for (const [name, value] of Object.entries(result.outputs)) outputs[`back.${name}`] = value;
    expect(outputs['back.url']).toBe(server.url('back'));
    expect(JSON.stringify(result)).not.toMatch(/p@ss|p%40ss/);
    expect(await server.query('back', 'select count(*)::int from customers')).toEqual([{ count: 100 }]);
    expect((await restore.foresee(context)).obstacles.join()).toMatch(/is not empty/);
  });

  it('validate what was restored, and find what was altered there', async () => {
    const against = String(outputs['back.target']);
    const context = contextOf(workspace, { id: 'check', do: 'verify', sources: ['db'], against }, { outputs });
    const { outputs: found } = await verify.run(context);
    expect(found).toEqual({ outcome: 'passed', time: outputs['back.time'] });
    await server.query('back', 'update customers set id = 0 where id = 7');
    await expect(verify.run(context)).rejects.toMatchObject({
      code: 'validation-failed',
      message: expect.stringContaining('rows public.customers'),
    });
  });

  it('give clients the URL with the password that it was restored with', async () => {
    const set = { file: 'app.env', key: 'URL' };
    const value = String(outputs['back.url']);
    const context = contextOf(workspace, { id: 'switch', do: 'connection.update', set, value }, { outputs });
    const { summary } = await connectionUpdate.run(context);
    expect(readFileSync(join(directory, 'app.env'), 'utf8')).toContain(target);
    expect(summary).not.toContain(encodeURIComponent(PASSWORD));
  });

  it('let a standby go on from the point, and lose nothing of it', async () => {
    const context = contextOf(workspace, { do: 'verify', sources: ['db'], against: 'db-eu' });
    await server.query('shop', 'insert into customers select generate_series(101, 200)');
    expect((await verify.run(context)).summary).toMatch(/^db at the standby db-eu passed \d checks$/);
    await server.query('shop', 'delete from customers where id > 50');
    await expect(verify.run(context)).rejects.toMatchObject({
      message: expect.stringContaining('validate: customers'),
    });
    await server.query('shop', 'drop table customers');
    await expect(verify.run(context)).rejects.toMatchObject({ message: expect.stringMatching(/missing|schema/) });
  });
});
