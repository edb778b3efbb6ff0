import { expect, it } from 'vitest';
import { parsePlan } from '../../plan/index.ts';
import { settingsOf } from './settings.ts';

function source(capture: string) {
  const text = `version: 1
name: shop
repositories: { main: { store: ./repository, password: { env: HOLDFAST_PASSWORD } } }
sources: { db: { type: postgres, url: { env: DB_URL }, method: physical, wal: stream${capture} } }
`;
  return parsePlan(text, { file: 'holdfast.yaml', directory: '/plans' }).plan.sources.get('db')!;
}

it('the slot of a server is given up where the plan or a person says so, and else never', () => {
  expect(settingsOf(source(''), {}).releaseRetainedBytes).toBe(Number.POSITIVE_INFINITY);
  const planned = source(', capture: { releaseAt: 2GiB }');
  expect(settingsOf(planned, {}).releaseRetainedBytes).toBe(2 * 1024 ** 3);
  expect(settingsOf(planned, { releaseRetainedBytes: 5 }).releaseRetainedBytes).toBe(5);
});

it('a log is captured as the plan has it, unless something else is asked for', () => {
  const planned = source(', capture: { every: 1s, spool: /var/spool/holdfast, spoolLimit: 1GiB, warnRetained: 1MiB }');
  const settings = {
    everyMs: 1000,
    spoolDirectory: '/var/spool/holdfast',
    spoolLimitBytes: 1024 ** 3,
    warnRetainedBytes: 1024 ** 2,
  };
  expect(settingsOf(planned, {})).toMatchObject(settings);
  expect(settingsOf(planned, { everyMs: 9000 })).toMatchObject({ ...settings, everyMs: 9000 });
});
