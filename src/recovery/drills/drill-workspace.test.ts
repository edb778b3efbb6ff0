import { expect, test } from 'vitest';
import { mirroredWorkspace } from '../../../test/support/mirrored.ts';
import type { Plan, Runbook } from '../../plan/index.ts';
import type { Source } from '../../source/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { drillWorkspace, hasProgramChecks } from './drill-workspace.ts';

const exec = { kind: 'exec', name: 'own', exec: ['./living-check'] };
const sql = { kind: 'sql', name: 'rows', sql: 'select true' };
const plan = {
  sources: new Map([
    ['db', { name: 'db', type: 'postgres', url: 'postgresql://living/db', validate: [exec, sql], repository: 'main' }],
    ['docs', { name: 'docs', type: 'files', paths: ['/srv/docs'], validate: [], exclude: [], repository: 'main' }],
  ]),
  services: new Map([['api', { name: 'api', http: 'https://living.example' }]]),
  maintenance: { on: { exec: ['./living-off'] } },
} as unknown as Partial<Plan>;

function drilled(touched: string[] = []) {
  const living = mirroredWorkspace({ main: new MemoryStore() }, plan);
  const touch = (what: string) => async () => void touched.push(what);
  const source = { name: 'docs', type: 'files' } as unknown as Record<keyof Source, unknown>;
  for (const what of ['examine', 'capture', 'compare', 'follow', 'restore', 'validate'] as const) {
    source[what] = touch(what);
  }
  const channel = { createChannel: touch('a channel'), writeCloudSecret: touch('a secret'), dns: touch('a name') };
  Object.assign(living.environment.adapters, { createSource: async () => source, ...channel });
  return drillWorkspace(living, { name: 'it' } as Runbook);
}

test('a drill knows no service, no maintenance, no address and no program of the living', () => {
  const own = drilled().plan;
  expect([own.services.size, own.maintenance, [...own.runbooks.keys()]]).toEqual([0, undefined, ['it']]);
  expect(JSON.stringify([...own.sources.values()])).not.toContain('living');
  expect(own.sources.get('db')?.validate).toEqual([sql]);
  expect(hasProgramChecks({ plan } as Parameters<typeof hasProgramChecks>[0], 'db')).toBe(true);
});

test('a drill restores and looks at copies, and takes nothing from the living nor compares with it', async () => {
  const touched: string[] = [];
  const { environment } = drilled(touched);
  const source = await environment.adapters.createSource({} as never, {} as never);
  const none = undefined as never;
  for (const call of [
    () => source.capture(none, none),
    () => source.examine(none),
    () => source.compare(none, undefined, none),
  ]) {
    await expect(call()).rejects.toThrow(/a drill does not touch docs, which lives/);
  }
  expect(touched).toEqual([]);
  await source.compare(none, { kind: 'directory', path: '/copy' }, none);
  await source.restore(none, none, none);
  await source.validate(none, none, none);
  expect(touched).toEqual(['compare', 'restore', 'validate']);
  expect(source.follow).toBeUndefined();
});

test('a drill has no adapter by which anything but a copy could be reached', () => {
  const { adapters } = drilled().environment;
  const known = ['openStore', 'cached', 'createSource', 'readCloudSecret', 'createSandbox', 'startDemoServer'];
  expect(Object.keys(adapters).filter((name) => !known.includes(name))).toEqual([]);
});
