import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { testDirectory } from '../../../test/support/repository.ts';
import { type RequestServer, startRequestServer } from '../../../test/support/request-server.ts';
import { describeStep } from '../../../test/support/step-conformance.ts';
import { bareWorkspace, contextOf } from '../../../test/support/steps.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { StepKind } from '../step.ts';
import { deploy } from './deploy.ts';
import { exec } from './exec.ts';
import { http } from './http.ts';
import { isolate } from './isolate.ts';
import { keysRevoke } from './keys-revoke.ts';
import { maintenanceOff, maintenanceOn } from './maintenance.ts';

const SECRET = 'hunter2-and-more';
const PATTERN = /no program \.\/missing/;

/** A directory with a program that writes what it was given into a file beside it. */
function programs() {
  const directory = testDirectory();
  const done = join(directory, 'done');
  const script = (name: string, text: string) =>
    writeFileSync(join(directory, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  script('work', `echo "$TOKEN" > done; echo "{\\"id\\": 7, \\"list\\": [\\"a\\"], \\"seen\\": \\"$TOKEN\\"}"`);
  script('fail', 'echo "it has $TOKEN and postgres://me:other-secret@host/db" >&2; exit 3');
  script('hang', 'sleep 60');
  script(
    'read',
    'stat -c %a "$KEY" >&2; cat "$KEY" > done; echo "$KEY"; echo "$HOLDFAST_RUN $HOLDFAST_STEP"; env > all',
  );
  const workspace = bareWorkspace({ directory }, { variables: { PATH: '/usr/bin:/bin', TOKEN: SECRET, UNSAID: 'x' } });
  return { directory, done, workspace };
}

const token = { env: { TOKEN: { env: 'TOKEN' } } };

function programSubject<Kind extends 'exec' | 'deploy' | 'keys.revoke' | 'isolate'>(kind: Kind) {
  const { workspace, done } = programs();
  const context = (word: string, more = {}) =>
    contextOf(workspace, { do: kind, exec: [word], ...token, repeatable: true }, more);
  return {
    works: (more = {}) => context('./work', more),
    world: async () => String(existsSync(done) && readFileSync(done, 'utf8')),
    isDone: async () => readFileSync(done, 'utf8').trim() === SECRET,
    obstructed: { context: () => context('./missing'), says: PATTERN },
    fails: () => context('./fail'),
    slow: (more = {}) => context('./hang', more),
    secrets: [SECRET],
  };
}

describeStep('exec', async () => ({ kind: exec, ...programSubject('exec') }));
describeStep('deploy', async () => ({ kind: deploy, ...programSubject('deploy') }));

let server: Promise<RequestServer> | undefined;
const serving = () => (server ??= startRequestServer());
afterAll(async () => (await server)?.close());

describeStep('http', async () => {
  const { url, asked, answers } = await serving();
  answers.set('/silent', 'silent');
  answers.set('/no', ({ headers }) => ({ status: 403, body: `your token ${headers['authorization']} is not welcome` }));
  const workspace = bareWorkspace({}, { variables: { TOKEN: SECRET } });
  const context = (path: string, more = {}) =>
    contextOf(
      workspace,
      { do: 'http', http: { url: `${url}${path}`, method: 'PUT', headers: { authorization: { env: 'TOKEN' } } } },
      more,
    );
  return {
    kind: http,
    works: (more) => context('/on', more),
    world: async () => String(new Set(asked.map(({ path }) => path)).has('/on')),
    isDone: async () =>
      asked.some(({ method, path, headers }) => method === 'PUT' && path === '/on' && headers.authorization === SECRET),
    obstructed: {
      context: () =>
        contextOf(workspace, { do: 'http', http: { url, headers: { authorization: { env: 'NOT_SET' } } } }),
      says: /NOT_SET is not set/,
    },
    fails: () => context('/no'),
    slow: (more) => context('/silent', more),
    secrets: [SECRET],
  };
});

describeStep('isolate', async () => ({ kind: isolate, ...programSubject('isolate') }));
describeStep('keys.revoke', async () => ({ kind: keysRevoke, ...programSubject('keys.revoke') }));

function describeMaintenance<Kind extends 'maintenance.on' | 'maintenance.off'>(
  name: Kind,
  kind: StepKind<Kind>,
): void {
  describeStep(
    name,
    async () => {
      const { url, asked, answers } = await serving();
      const path = `/${name}`;
      answers.set('/broken', { status: 500 });
      const context = (path: string, headers = {}, more = {}) => {
        const call = { http: { url: `${url}${path}`, method: 'PUT' as const, headers } };
        return contextOf(bareWorkspace({ maintenance: { on: call, off: call } }), { do: name }, more);
      };
      return {
        kind,
        works: (more) => context(path, {}, more),
        world: async () => String(asked.some((each) => each.path === path)),
        isDone: async () => asked.some((each) => each.method === 'PUT' && each.path === path),
        obstructed: { context: () => context('/x', { key: { env: 'NOT_SET' } }), says: /NOT_SET is not set/ },
        fails: () => context('/broken'),
        secrets: [],
      };
    },
    { without: ['slow'] },
  );
}

describeMaintenance('maintenance.on', maintenanceOn);
describeMaintenance('maintenance.off', maintenanceOff);

describe('a program of a step', () => {
  it('gives what it printed as outputs, without the secret that it printed', async () => {
    const { workspace } = programs();
    const { outputs } = await exec.run(contextOf(workspace, { do: 'exec', exec: ['./work'], ...token }));
    expect(outputs).toMatchObject({ 'json.id': 7, 'json.list.0': 'a', 'json.seen': '…' });
  });

  it('gets secrets in files that are its own and gone afterwards, and nothing else of the environment', async () => {
    const { workspace, done, directory } = programs();
    const document = { do: 'exec', exec: ['./read'], files: { KEY: { env: 'TOKEN' } } } as const;
    const { outputs } = await exec.run(contextOf(workspace, document));
    expect(readFileSync(done, 'utf8')).toBe(SECRET);
    const [path = '', said] = String(outputs['output']).split('\n');
    expect(said).toBe('INC-1 step');
    expect(existsSync(path)).toBe(false);
    const all = readFileSync(join(directory, 'all'), 'utf8');
    expect(all).not.toMatch(/UNSAID|TOKEN=/);
  });

  it('is not run with a secret of the plan among its arguments', async () => {
    const { workspace, done, directory } = programs();
    const plan = { ...workspace.plan, standbys: new Map([['s', { name: 's', of: 'db', url: { env: 'STANDBY' } }]]) };
    const url = 'postgres://me:pass-of-standby@host/db';
    const held = bareWorkspace({ ...plan, directory }, { variables: { PATH: '/usr/bin:/bin', STANDBY: url } });
    const context = contextOf(held, { do: 'exec', exec: ['./work', '--password=pass-of-standby'] });
    await expect(exec.run(context)).rejects.toMatchObject({ code: 'bad-usage' });
    expect((await exec.foresee(context)).obstacles.join()).toMatch(/argument 1 .* holds a secret/);
    expect(existsSync(done)).toBe(false);
  });

  it('quotes what it said last when it fails, with passwords taken out', async () => {
    const { workspace } = programs();
    const error = await exec
      .run(contextOf(workspace, { do: 'exec', exec: ['./fail'], ...token }))
      .catch((e: unknown) => e);
    expect(isHoldfastError(error, 'program-failed') && error.context['said']).toBe(
      'it has … and postgres://me:…@host/db',
    );
  });

  it('is not run while something that it needs is not known', async () => {
    const { workspace, done } = programs();
    const context = contextOf(workspace, { do: 'exec', exec: ['./work', '${point.time}'] });
    await expect(exec.run(context)).rejects.toMatchObject({ code: 'bad-usage', context: { name: 'point.time' } });
    expect(existsSync(done)).toBe(false);
    const { obstacles, does } = await exec.foresee(context);
    expect(obstacles).toEqual([]);
    expect(does).toContain('${point.time} as it is known by then');
  });

  it('that may have run is run again only where the plan says so', async () => {
    const { workspace } = programs();
    const afterwards = (more: object) =>
      exec.afterDeath!(contextOf(workspace, { do: 'exec', exec: ['./work'], ...more }));
    expect(await afterwards({})).toBe('ask');
    expect(await afterwards({ repeatable: true })).toBe('again');
  });
});

describe('a request of a step', () => {
  const request = async (call: Record<string, unknown>, more = {}) => {
    const { url } = await serving();
    const workspace = bareWorkspace({}, { variables: { TOKEN: SECRET, URL_OF_IT: `${url}/hidden?key=${SECRET}` } });
    return contextOf(workspace, { do: 'http', http: { url: `${url}/x`, ...call }, ...more });
  };

  it('sends JSON with the secrets that it refers to, and gives what was answered', async () => {
    const { asked, answers } = await serving();
    answers.set('/x', { status: 201, body: '{"id": "a", "ok": true}' });
    const { outputs, summary } = await http.run(await request({ body: { text: 'hello', token: { env: 'TOKEN' } } }));
    expect(JSON.parse(asked.at(-1)!.body)).toEqual({ text: 'hello', token: SECRET });
    expect(asked.at(-1)!.headers['content-type']).toBe('application/json');
    expect(outputs).toEqual({ status: 201, output: '{"id": "a", "ok": true}', 'json.id': 'a', 'json.ok': true });
    expect(summary).toMatch(/^POST http:.*\/x was answered with 201$/);
  });

  it('follows nobody who leads elsewhere, and so shows nobody else what is secret', async () => {
    const { url, asked, answers } = await serving();
    answers.set('/x', { status: 307, headers: { location: `${url}/elsewhere` } });
    await expect(http.run(await request({ headers: { key: { env: 'TOKEN' } } }))).rejects.toMatchObject({
      code: 'request-failed',
      context: { status: 307 },
    });
    expect(asked.some(({ path }) => path === '/elsewhere')).toBe(false);
    expect((await http.run(await request({ expect: [307] }))).outputs).toMatchObject({ status: 307 });
  });

  it('reads no more of an answer than it can use', async () => {
    const { answers } = await serving();
    answers.set('/x', { status: 200, body: 'x'.repeat(4_000_000) });
    const { outputs } = await http.run(await request({}));
    expect(String(outputs['output'])).toHaveLength(8_000);
  });

  it('gives up in the time that the step has, and shows no more of a secret address than its host', async () => {
    const { answers } = await serving();
    answers.set(`/hidden?key=${SECRET}`, 'silent');
    const context = await request({ url: { env: 'URL_OF_IT' } }, { timeout: '100ms' });
    const error = await http.run(context).catch((thrown: unknown) => thrown);
    expect(isHoldfastError(error, 'request-failed') && error.retryable).toBe(true);
    expect(String(error)).not.toMatch(/hidden|hunter/);
  });

  it('that may have been sent is sent again only where that is the same, or the plan says so', async () => {
    const afterwards = async (call: object, more = {}) => http.afterDeath!(await request({ ...call }, more));
    expect(await afterwards({ method: 'PUT' })).toBe('again');
    expect(await afterwards({ method: 'POST' })).toBe('ask');
    expect(await afterwards({ method: 'POST' }, { repeatable: true })).toBe('again');
  });
});
