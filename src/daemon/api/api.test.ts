import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../../../test/support/api.ts';
import { document, holdfast } from '../../../test/support/cli.ts';
import { acknowledgementLinks, hold, mayAct, ROLES } from '../../operations/index.ts';
import { newSecret } from '../../operations/tokens/secret.ts';
import { openIncident } from '../../recovery/incidents/open.ts';

import { ACCESS, type OperationId } from './access.ts';
import { CallRecord } from './call-record.ts';
import { OPERATIONS } from './routes/index.ts';

const ALERT = 'a1b2c3d4e5f6';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
  await holdfast(api.directory, ['backup']);
  api.clock.advance(60_000);
  await api.context.record('alert.raised', raised(ALERT));
});

afterAll(() => api.close());

const raised = (alert: string) => ({
  ...{ alert, rule: 'backup-failed', subject: alert, severity: 'p2', since: '2026-01-31T14:03:06Z' },
  ...{ message: '<b>it</b> failed', endangers: 'what came since', command: 'holdfast backup files' },
});

/** What each operation is called with where it should do what it is for. */
const CALLS: Record<OperationId, { path: string; body?: object }> = {
  getPlan: { path: '/plan' },
  getPlanDifference: { path: '/plan/difference' },
  applyPlan: { path: '/plan/revisions', body: { why: 'it was agreed' } },
  listApprovals: { path: '/approvals' },
  giveApproval: { path: '/approvals/ASKED/give', body: {} },
  listIncidents: { path: '/incidents?all=true' },
  getIncident: { path: '/incidents/INCIDENT' },
  foreseeIncident: { path: '/incidents/foresee', body: { runbook: 'gated' } },
  startIncident: { path: '/incidents', body: { runbook: 'noted', since: '10m ago', why: 'a test', another: true } },
  resumeIncident: { path: '/incidents/INCIDENT/resume', body: {} },
  answerIncident: { path: '/incidents/INCIDENT/answer', body: { step: 'work', answer: 'skip', note: 'by hand' } },
  approveIncident: { path: '/incidents/INCIDENT/approve', body: { as: 'lead' } },
  noteIncident: { path: '/incidents/INCIDENT/notes', body: { text: 'looked at it' } },
  acknowledgeIncident: { path: '/incidents/INCIDENT/acknowledge', body: {} },
  declareBreach: { path: '/incidents/INCIDENT/breach', body: { since: '2h ago', reportedTo: 'the authority' } },
  abortIncident: { path: '/incidents/INCIDENT/abort', body: { why: 'a false alarm' } },
  listReviews: { path: '/reviews' },
  recordReview: { path: '/reviews', body: { review: 'strategy', attended: ['Anna'], note: 'well' } },
  getStatus: { path: '/status' },
  listSnapshots: { path: '/snapshots?source=files' },
  getHistory: { path: '/sources/files/history' },
  getSchedule: { path: '/schedule?within=2d' },
  listRuns: { path: '/runs' },
  startRun: { path: '/runs', body: { task: 'backup:files' } },
  getObjectives: { path: '/objectives?source=files&since=2d%20ago' },
  holdSnapshot: { path: '/snapshots/latest/hold', body: { why: 'the auditors look at it' } },
  releaseSnapshot: { path: '/snapshots/HELD/release', body: { why: 'they are done' } },
  readLedger: { path: '/ledger?kind=token.created&limit=2' },
  listAlerts: { path: '/alerts?all=true' },
  acknowledgeAlert: { path: `/alerts/${ALERT}/acknowledge`, body: { note: 'on it' } },
  muteAlerts: { path: '/alerts/mutes', body: { rule: 'availability', for: '2h', why: 'it moves' } },
  listTokens: { path: '/tokens' },
  addToken: { path: '/tokens', body: { name: 'made-by-test' } },
  revokeToken: { path: '/tokens/made-by-test' },
};

const cases = OPERATIONS.flatMap((each) => [undefined, ...ROLES].map((role) => [each.id, role, each] as const));

/** The id of a snapshot that is held just now, for who may release it. */
async function heldId(role: string | undefined): Promise<string> {
  if (role !== 'approver' && role !== 'admin') return 'latest';
  return (await hold(api.workspace, 'latest', 'for a test')).snapshot;
}

/** The id of what somebody asked for just now, and one person alone may not do. */
async function askedId(role = 'nobody', by = 'somebody'): Promise<string> {
  const approval = `${role}-${by}`;
  await api.context.record('approval.asked', { approval, action: 'unlock', subject: 'all', why: 'a test', by });
  return approval;
}

/** An incident whose first step waits for the lead, or where that is answered, whose second one failed. */
async function incidentId(operation: OperationId): Promise<string> {
  const runbook = operation === 'resumeIncident' ? 'noted' : 'gated';
  const { id: run } = await openIncident(api.workspace, { runbook, another: true });
  if (operation === 'approveIncident') {
    await api.context.record('step.started', { run, step: 'go', attempt: 1 });
    const asked = { what: 'approve' as const, question: 'Go on?', of: ['lead'], count: 1 };
    await api.context.record('step.asked', { run, step: 'go', attempt: 1, ...asked });
  }
  if (operation === 'answerIncident') {
    await api.context.record('step.started', { run, step: 'work', attempt: 1 });
    const failed = { outcome: 'failed', code: 'timed-out', message: 'it failed', durationMs: 1 } as const;
    await api.context.record('step.finished', { run, step: 'work', attempt: 1, ...failed });
  }
  return run;
}

describe('an operation of the API', () => {
  it('has a role in the table, and each in the table is one', () => {
    expect(OPERATIONS.map(({ id }) => id).sort()).toEqual(Object.keys(ACCESS).sort());
  });

  it.each(cases)('%s is answered to %s as the table says', async (id, role, { method, result, status = 200 }) => {
    const { path: written, body } = CALLS[id];
    const path = written
      .replace('HELD', id === 'releaseSnapshot' ? await heldId(role) : '')
      .replace('ASKED', id === 'giveApproval' ? await askedId(role) : '')
      .replace('INCIDENT', /INCIDENT/.test(written) ? await incidentId(id) : '');
    const call = { method: method.toUpperCase(), ...(role && { as: role }), ...(body && { body }) };
    const answer = await api.call(`/api/v1${path}`, call);
    if (role === undefined) expect([answer.status, answer.json.code]).toEqual([401, 'unauthenticated']);
    else if (!mayAct(role, ACCESS[id])) expect([answer.status, answer.json.code]).toEqual([403, 'forbidden']);
    else {
      expect([answer.status, answer.text]).toEqual([status, expect.anything()]);
      // What it answers is what its description says, and nothing beside.
      expect(result.parse(answer.json)).toEqual(answer.json);
    }
  });
});

describe('what the API answers', () => {
  it.each([
    ['/plan', ['plan', 'show']],
    ['/snapshots', ['snapshots']],
    ['/sources/files/history', ['history', 'files']],
    ['/ledger?kind=backup.finished', ['ledger', 'log', '--kind', 'backup.finished']],
  ])('at %s is what the command line prints', async (path, words) => {
    const printed = document(await holdfast(api.directory, ['--json', ...words]));
    expect((await api.call(`/api/v1${path}`, { as: 'viewer' })).json).toEqual(printed);
  });

  it('of the status is what the command line prints, but for the time between', async () => {
    const printed = document(await holdfast(api.directory, ['--json', 'status']));
    const { json } = await api.call('/api/v1/status', { as: 'viewer' });
    for (const { sources } of [printed, json]) {
      expect(sources[0].actual.rpoMs).toBeGreaterThan(0);
      delete sources[0].actual.rpoMs;
    }
    expect(json).toEqual(printed);
  });

  it('is described, with every operation and what each takes and answers', async () => {
    const { json } = await api.call('/openapi.json');
    expect(json).toMatchObject({ openapi: '3.1.0', info: { version: '0.0.0' } });
    const described = Object.values(json.paths as Record<string, Record<string, { operationId: string }>>);
    const ids = described.flatMap((path) => Object.values(path).map(({ operationId }) => operationId));
    expect(ids.sort()).toEqual(Object.keys(ACCESS).sort());
    expect(json.components.securitySchemes.token).toEqual({ type: 'http', scheme: 'bearer' });
    expect(json.components.schemas.Status.properties.sources.type).toBe('array');
  });

  it('has a row for every operation in docs/api.md, and no other', async () => {
    const page = readFileSync(new URL('../../../docs/api.md', import.meta.url), 'utf8');
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    const written = rows.join('\n').replaceAll('`…/', '`POST /incidents/{incident}/');
    const told = [...written.matchAll(/`((?:GET|POST|DELETE) \/[^`? ]*)/g)].map(([, operation]) => operation);
    const { json } = await api.call('/openapi.json');
    const described = Object.entries(json.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/^\/api\/v1/, '')}`),
    );
    expect(told.sort()).toEqual(described.sort());
  });

  it.each([
    ['GET', '/api/v1/nothing', undefined, 404, 'not-found'],
    ['DELETE', '/api/v1/runs', undefined, 405, 'method-not-allowed'],
    ['PUT', '/api/v1/incidents/ab/abort', undefined, 405, 'method-not-allowed'],
    ['GET', '/api/v1/snapshots?source=nowhere', undefined, 404, 'unknown-source'],
    ['GET', '/api/v1/schedule?within=soon', undefined, 400, 'bad-usage'],
    ['POST', '/api/v1/runs', { task: 'backup:nowhere' }, 404, 'unknown-task'],
    ['POST', '/api/v1/runs', { task: 7 }, 400, 'bad-usage'],
    ['POST', '/api/v1/runs', { task: 'backup:files', more: 1 }, 400, 'bad-usage'],
    ['POST', '/api/v1/runs', '{"task"', 400, 'bad-usage'],
    ['POST', '/api/v1/tokens', { name: 'lasting', expires: '100000000d' }, 400, 'bad-usage'],
    ['POST', '/api/v1/alerts/mutes', { rule: 'latency', for: '100000000d', why: 'a test' }, 400, 'bad-usage'],
    ['DELETE', '/api/v1/tokens/nobody', undefined, 404, 'unknown-token'],
  ])('to %s %s with %j is an error of its own', async (method, path, body, status, code) => {
    const { json, ...answer } = await api.call(path, { method, as: 'admin', ...(body !== undefined && { body }) });
    expect([answer.status, json.code, typeof json.message]).toEqual([status, code, 'string']);
  });

  it('to a method that a path has not names those that it has', async () => {
    const allowed = async (path: string) =>
      (await api.call(`/api/v1/incidents${path}`, { method: 'OPTIONS' })).headers.get('allow');
    expect([await allowed('/foresee'), await allowed('/latest')]).toEqual(['POST', 'GET, HEAD']);
  });

  it('takes the name of a token for a person: nobody approves what they asked for', async () => {
    const give = async (approval: string) => {
      const path = `/api/v1/approvals/${approval}/give`;
      const { status, json } = await api.call(path, { method: 'POST', as: 'approver', body: {} });
      return [status, json.code ?? [json.state, json.givenBy]];
    };
    expect(await give(await askedId('own', 'approver'))).toEqual([403, 'approval-refused']);
    expect(await give(await askedId('others', 'anna'))).toEqual([200, ['given', 'approver']]);
    expect(await give('nothing')).toEqual([404, 'unknown-approval']);
  });

  it('applies the plan that is meant, and no other', async () => {
    const body = { why: 'another one', sha256: 'ab'.repeat(32) };
    const { status, json } = await api.call('/api/v1/plan/revisions', { method: 'POST', as: 'admin', body });
    expect([status, json.message]).toEqual([400, expect.stringContaining('another one')]);
    const { recorded } = (await api.call('/api/v1/reviews', { as: 'viewer' })).json;
    expect(recorded.map(({ by }: { by: string }) => by)).toEqual(['operator', 'approver', 'admin']);
  });

  it('takes a body for JSON only where it says so', async () => {
    const answer = await api.call('/api/v1/runs', {
      ...{ method: 'POST', as: 'admin', body: { task: 'backup:files' } },
      headers: { 'Content-Type': 'text/plain' },
    });
    expect([answer.status, answer.json.code]).toEqual([415, 'not-json']);
  });

  it('takes back a token at once', async () => {
    const { json } = await api.call('/api/v1/tokens', { method: 'POST', as: 'admin', body: { name: 'short' } });
    expect((await api.call('/api/v1/plan', { as: json.token })).status).toBe(200);
    await api.call('/api/v1/tokens/short', { method: 'DELETE', as: 'admin' });
    expect((await api.call('/api/v1/plan', { as: json.token })).status).toBe(401);
    const { tokens } = (await api.call('/api/v1/tokens', { as: 'admin' })).json;
    const short = tokens.find(({ name }: { name: string }) => name === 'short');
    expect(short).toMatchObject({ state: 'revoked', createdBy: 'admin' });
    expect(Date.parse(short.lastUsedAt)).toBeGreaterThanOrEqual(Date.parse(short.createdAt));
  });

  it('records what was changed or refused, and sums up what was read', async () => {
    api.clock.advance(3_600_000);
    await api.call('/api/v1/plan', { as: 'viewer' });
    api.recorded.length = 0;
    for (let time = 0; time < 3; time++) await api.call('/api/v1/plan', { as: 'viewer' });
    for (let time = 0; time < 2; time++) await api.call('/api/v1/tokens', { as: 'viewer' });
    for (let time = 0; time < 2; time++) {
      await api.call('/api/v1/runs', { method: 'POST', as: 'operator', body: { task: 'backup:files' } });
    }
    const events = api.recorded.splice(0);
    expect(events.map(({ kind, body }) => [kind, body])).toEqual([
      ['api.called', expect.objectContaining({ path: '/api/v1/tokens', status: 403, name: 'viewer', role: 'viewer' })],
      ['api.called', expect.objectContaining({ method: 'POST', path: '/api/v1/runs', status: 202, name: 'operator' })],
      ['api.called', expect.objectContaining({ method: 'POST', path: '/api/v1/runs', status: 202, name: 'operator' })],
    ]);
    api.clock.advance(3_600_000);
    await api.call('/api/v1/plan', { as: 'viewer' });
    expect(api.recorded.map(({ kind }) => kind)).toEqual(['api.summarised', 'api.called']);
    expect(api.recorded[0]!.body).toMatchObject({
      name: 'viewer',
      calls: { 'GET /api/v1/plan 200': 3, 'GET /api/v1/tokens 403': 1 },
    });
  });
});

describe('a call that cannot be recorded', () => {
  it('is not answered as done', async () => {
    api.faults.rule = ({ method, key }) =>
      method === 'put' && key.startsWith('holdfast/ledger/') ? 'before' : undefined;
    const call = { method: 'POST', as: 'operator', body: { task: 'backup:files' } };
    const answer = await api.call('/api/v1/runs', call);
    api.faults.rule = () => undefined;
    expect([answer.status, answer.json.code]).toEqual([503, 'store-unreachable']);
    expect((await api.call('/api/v1/runs', call)).status).toBe(202);
  });

  it('is not answered as done either where the record of it is in memory alone; reading goes on', async () => {
    const calls = new CallRecord(async () => false, api.clock);
    const caller = { tokenId: 't', name: 'a', role: 'operator' } as const;
    const call = { path: '/api/v1/x', route: '/api/v1/x', status: 200 };
    await calls.called(caller, { ...call, method: 'GET' });
    await expect(calls.called(caller, { ...call, method: 'POST' })).rejects.toMatchObject({ code: 'output-failed' });
  });

  it('says who muted something', async () => {
    const body = { rule: 'latency', for: '1h', why: 'it is known' };
    await api.call('/api/v1/alerts/mutes', { method: 'POST', as: 'operator', body });
    const { mutes } = (await api.call('/api/v1/alerts', { as: 'viewer' })).json;
    expect(mutes).toContainEqual(expect.objectContaining({ rule: 'latency', by: 'operator' }));
  });
});

describe('whoever guesses tokens', () => {
  it('is not heard for ten minutes after ten wrong ones, and fills no ledger', async () => {
    api.clock.advance(3_600_000);
    api.recorded.length = 0;
    for (let guess = 0; guess < 10; guess++) {
      expect((await api.call('/api/v1/plan', { as: newSecret() })).status).toBe(401);
    }
    const refused = await api.call('/api/v1/plan', { as: newSecret() });
    expect([refused.status, refused.json.code, refused.headers.get('retry-after')]).toEqual([
      429,
      'too-many-attempts',
      '600',
    ]);
    api.clock.advance(599_000);
    expect((await api.call('/api/v1/plan', { as: newSecret() })).status).toBe(429);
    expect((await api.call('/api/v1/plan')).status).toBe(401);
    // Who has a right one may come from the same address, as all do behind a proxy.
    expect((await api.call('/api/v1/plan', { as: 'viewer' })).status).toBe(200);
    expect((await api.call('/api/v1/plan', { as: newSecret() })).status).toBe(429);
    api.clock.advance(1_001);
    expect((await api.call('/api/v1/plan')).status).toBe(401);
    const logins = () => api.recorded.filter(({ kind }) => kind === 'login.failed').map(({ body }) => body);
    expect(logins()).toEqual([{ from: '127.0.0.1', attempts: 1 }]);
    api.clock.advance(3_600_000);
    await api.call('/api/v1/plan', { as: 'viewer' });
    expect(logins()).toEqual([
      { from: '127.0.0.1', attempts: 1 },
      { from: '127.0.0.1', attempts: 9 },
    ]);
  });
});

describe('a signed link', () => {
  const pathOf = async (alert: string) => {
    const link = (await acknowledgementLinks(api.workspace, api.server.url))(alert);
    return link.slice(api.server.url.length);
  };
  const stateOf = async (alert: string) => {
    const { alerts } = (await api.call('/api/v1/alerts?all=true', { as: 'viewer' })).json;
    return alerts.find(({ id }: { id: string }) => id === alert);
  };

  it('shows an alert to who follows it, and acknowledges it for who says that they see to it', async () => {
    await api.context.record('alert.raised', raised('link1'));
    api.clock.advance(1000);
    const path = await pathOf('link1');
    const shown = await api.call(path);
    expect([shown.status, shown.headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8']);
    expect(shown.text).toContain('&lt;b&gt;it&lt;/b&gt; failed');
    expect((await stateOf('link1')).state).toBe('open');
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const posted = await api.call(path, { method: 'POST', headers, form: 'by=Ada+L.' });
    expect([posted.status, posted.text.includes('You see to this alert')]).toEqual([200, true]);
    expect(await stateOf('link1')).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'Ada L., by link' });
    expect((await api.call(path)).text).toContain('acknowledged by Ada L.');
  });

  it('leads nowhere when it was altered, is of another alert, or too old', async () => {
    for (const alert of ['link2', 'link3']) await api.context.record('alert.raised', raised(alert));
    const path = await pathOf('link2');
    const altered = [path.replace('link2', 'link3'), path.replace(/expires=\d/, 'expires=9'), '/acknowledge/link2'];
    for (const each of altered) {
      for (const method of ['GET', 'POST'])
        expect([each, (await api.call(each, { method })).status]).toEqual([each, 403]);
    }
    api.clock.advance(7 * 24 * 3_600_000);
    expect((await api.call(path, { method: 'POST' })).status).toBe(403);
    for (const alert of ['link2', 'link3']) expect((await stateOf(alert)).state).toBe('open');
  });
});
