import { expect, test } from 'vitest';
import { buildStep, stepSchema } from '../../plan/index.ts';
import { drillSteps, isControl, isFaults } from './drill-steps.ts';

const planned = (documents: Record<string, unknown>[]) =>
  documents.map((each, index) => buildStep(stepSchema.parse(each), documents[index - 1]?.['id'] as string | undefined));

test('what has happened comes first, and a restore to a directory stays one', () => {
  const restore = { id: 'back', do: 'restore', source: 'db', to: '${target}', needs: [] };
  const steps = drillSteps(planned([restore]), () => 'run', { kill: ['db'], cutOff: ['cache'] });
  expect(steps.map(({ document }) => document)).toMatchObject([
    { id: 'drill-faults', text: 'the server of db is killed; the server of cache is out of reach', needs: [] },
    { id: 'back', to: 'sandbox', needs: ['drill-faults'] },
    { do: 'verify' },
  ]);
  expect(steps.map(({ document }) => isFaults(document))).toEqual([true, false, false]);
});

test('a drill restores to a sandbox, keeps the order, asks nobody after a failure, and ends with its control', () => {
  const restore = { id: 'back', do: 'restore', source: 'db', to: { env: 'LIVING' }, replace: true, confirm: 'db' };
  const steps = drillSteps(
    planned([
      { id: 'gate', do: 'approve', ask: 'Go on?', by: ['lead'], onFailure: 'ask' },
      restore,
      { id: 'call', do: 'exec', exec: ['real'], drill: { exec: ['other'] } },
      { id: 'check', do: 'review', drill: 'skip' },
    ]),
    (kind) => (kind === 'restore' ? 'run' : 'skip'),
  ).map(({ document }) => document);
  expect(steps).toMatchObject([
    { id: 'gate', drill: 'skip', onFailure: 'stop', needs: [] },
    { id: 'back', drill: 'run', to: 'sandbox-database', needs: ['gate'], restoresService: false },
    { id: 'call', drill: 'run', exec: ['other'], needs: ['back'], restoresService: true },
    { id: 'check', drill: 'skip', needs: ['call'] },
    { do: 'verify', needs: ['gate', 'back', 'call', 'check'], restoresService: false },
  ]);
  expect(JSON.stringify(steps)).not.toMatch(/LIVING|"replace":true|confirm/);
  expect(steps.map(isControl)).toEqual([false, false, false, false, true]);
});
