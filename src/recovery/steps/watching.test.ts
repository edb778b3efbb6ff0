import { afterAll, describe, expect, it } from 'vitest';
import { type RequestServer, startRequestServer } from '../../../test/support/request-server.ts';
import { describeStep } from '../../../test/support/step-conformance.ts';
import { bareWorkspace, contextOf } from '../../../test/support/steps.ts';
import type { Service } from '../../plan/index.ts';
import { monitor } from './monitor.ts';
import { serviceCheck } from './service-check.ts';

let server: Promise<RequestServer> | undefined;
const serving = () => (server ??= startRequestServer());
afterAll(async () => (await server)?.close());

const SECRET = 'token-of-the-health-page';

async function watched() {
  const { url, answers } = await serving();
  answers.set('/down', { status: 503 });
  answers.set('/silent', 'silent');
  const service = (name: string, path: string, more: Partial<Service> = {}): [string, Service] => [
    name,
    { name, http: `${url}${path}`, everyMs: 5, timeoutMs: 30_000, ...more },
  ];
  const services = new Map([
    service('api', '', { http: { env: 'API' } }),
    service('old', '/down'),
    service('silent', '/silent'),
    service('unknown', '', { http: { env: 'NOT_SET' } }),
  ]);
  return { workspace: bareWorkspace({ services }, { variables: { API: `${url}/up?token=${SECRET}` } }), answers };
}

const NOTHING = { world: async () => '', secrets: [SECRET] };

describeStep('service.check', async () => {
  const { workspace } = await watched();
  const context = (service: string, more = {}) => contextOf(workspace, { do: 'service.check', service }, more);
  return {
    ...NOTHING,
    kind: serviceCheck,
    works: (more) => context('api', more),
    obstructed: { context: () => context('unknown'), says: /NOT_SET is not set/ },
    fails: () => context('old'),
    slow: (more) => context('silent', more),
  };
});

describeStep('monitor', async () => {
  const { workspace } = await watched();
  const context = (service: string, more = {}, length = '50ms') =>
    contextOf(workspace, { do: 'monitor', services: ['api', service], for: length }, more);
  return {
    ...NOTHING,
    kind: monitor,
    works: (more) => contextOf(workspace, { do: 'monitor', services: ['api'], for: '50ms' }, more),
    obstructed: { context: () => context('unknown'), says: /NOT_SET is not set/ },
    fails: () => context('old', {}, '1h'),
    slow: (more) => context('silent', more, '1h'),
  };
});

describe('a service that a step looks at', () => {
  it('is down after three failures in a row, and not after two', async () => {
    const { workspace, answers } = await watched();
    let asked = 0;
    answers.set('/down', () => ({ status: ++asked <= 2 ? 503 : 200 }));
    const told: string[] = [];
    const { outputs } = await serviceCheck.run(contextOf(workspace, { do: 'service.check', service: 'old' }, { told }));
    expect(outputs).toMatchObject({ answer: 'up' });
    expect(told).toHaveLength(2);
    asked = 0;
    answers.set('/down', () => ({ status: ++asked <= 3 ? 503 : 200 }));
    const checked = serviceCheck.run(contextOf(workspace, { do: 'service.check', service: 'old' }));
    await expect(checked).rejects.toMatchObject({ code: 'service-down', context: { failures: 3 } });
    expect(asked).toBe(3);
  });

  it('is watched for as long as is said, and the share of good answers is told', async () => {
    const { workspace, answers } = await watched();
    let asked = 0;
    answers.set('/down', () => ({ status: ++asked % 2 === 0 ? 503 : 200 }));
    const startedMs = performance.now();
    const { outputs } = await monitor.run(contextOf(workspace, { do: 'monitor', services: ['old'], for: '60ms' }));
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(59);
    expect(outputs).toEqual({ samples: asked, availability: Math.ceil(asked / 2) / asked });
  });

  it('ends the watch at once when it goes down', async () => {
    const { workspace, answers } = await watched();
    answers.set('/down', { status: 503 });
    const watching = monitor.run(contextOf(workspace, { do: 'monitor', services: ['api', 'old'], for: '1h' }));
    await expect(watching).rejects.toMatchObject({ code: 'service-down', context: { service: 'old' } });
  });
});
