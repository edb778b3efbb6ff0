import { z } from '@hono/zod-openapi';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startApi, type TestApi } from '../../../test/support/api.ts';
import { until } from '../../../test/support/followed.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { RunRecord } from '../../recovery/engine/run-record.ts';
import type { RunView } from '../../recovery/index.ts';
import { CLAIMS_PREFIX } from '../../repository/index.ts';
import { LEASES_PREFIX } from '../../repository/layout.ts';
import { incidentDuties } from '../duties/incidents.ts';
import type { DutyContext } from '../duty.ts';
import { Recoveries } from '../recoveries.ts';
import { incident } from './incident-schemas.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const post = (path: string, as: string, body: object = {}) =>
  api.call(`/api/v1/incidents${path}`, { method: 'POST', as, body });
const seen = async (id: string): Promise<RunView> => (await api.call(`/api/v1/incidents/${id}`, { as: 'viewer' })).json;
const waitingFor = (id: string, step: string) =>
  until(async () => (await seen(id)).steps.some((each) => each.step === step && each.state === 'waiting'));

/** A daemon that took over the plan: it has nothing of what the one before it knew. */
function nextDaemon() {
  const ending = new AbortController();
  const workspace = api.workspace.within({ signal: ending.signal });
  const recoveries = new Recoveries({ workspace: () => workspace, log: api.context.log });
  const [duty] = incidentDuties({ recoveries, workspace } as unknown as DutyContext);
  return { recoveries, duty: duty!, stop: () => ending.abort(new Error('it was told to')) };
}

describe('an incident by the API', () => {
  it('is run by the daemon, watched, approved by who may, and ends', async () => {
    const started = await post('', 'operator', { runbook: 'gated', since: '10m ago' });
    expect([started.status, started.json.startedBy]).toEqual([202, 'operator']);
    const { id } = started.json;
    await waitingFor(id, 'go');
    expect((await post('', 'operator', { runbook: 'gated' })).json.code).toBe('incident-exists');
    expect((await post(`/${id}/resume`, 'operator')).json.code).toBe('incident-running');
    expect((await post(`/${id}/approve`, 'operator')).status).toBe(403);
    expect((await post(`/${id}/answer`, 'operator', { step: 'go', answer: 'done' })).json.code).toBe('answer-refused');
    const { answers } = (await seen(id)).steps[0]!.waitsFor!;
    expect(answers).toEqual(['approve', 'refuse']);
    expect((await post(`/${id}/approve`, 'approver')).json).toMatchObject({
      step: 'go',
      by: 'approver',
      isEnough: true,
    });
    await waitingFor(id, 'work');
    // The contact's accounts are the plan's: a token of another name is not that person.
    expect((await post(`/${id}/answer`, 'admin', { answer: 'done', as: 'oncall' })).json.code).toBe('answer-refused');
    expect((await post(`/${id}/answer`, 'operator', { answer: 'done', note: 'twice' })).status).toBe(200);
    await until(async () => (await seen(id)).state === 'closed');
    const view = await seen(id);
    expect(view).toMatchObject({
      outcome: 'done',
      isRestored: true,
      steps: [{ outputs: { by: 'approver as lead' } }, {}],
    });
    expect(view.rtoMs).toBeGreaterThanOrEqual(600_000);
    const { incidents } = (await api.call('/api/v1/incidents', { as: 'viewer' })).json;
    expect(incidents).toEqual([]);
  });

  it.each([
    ['', { runbook: 'nothing' }, 404, 'unknown-runbook'],
    ['', { runbook: 'gated', params: { x: 'y' } }, 400, 'bad-usage'],
    ['', { runbook: 'gated', alert: 'ffff' }, 404, 'unknown-alert'],
    ['/ffff/notes', { text: 'x' }, 404, 'unknown-incident'],
  ])('to %s with %j is an error of its own, and nothing is begun', async (path, body, status, code) => {
    const answer = await post(path, 'operator', body);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect((await api.call('/api/v1/incidents', { as: 'viewer' })).json.incidents).toEqual([]);
  });

  it('is left open by a daemon that stops, and the next one goes on with it', async () => {
    const first = nextDaemon();
    const { id } = await first.recoveries.start({ runbook: 'gated', by: 'operator' });
    await waitingFor(id, 'go');
    const second = nextDaemon();
    expect(second.duty.nextMs(1000)).toBeLessThanOrEqual(1000);
    await second.duty.run(1000, new AbortController().signal);
    // The first one has it still: it is asked again.
    expect(second.recoveries.stateOf(id)).toBeUndefined();
    expect(second.duty.nextMs(1000)).toBe(31_000);
    first.stop();
    await first.recoveries.idle();
    await second.duty.run(31_000, new AbortController().signal);
    expect([second.recoveries.stateOf(id)?.id, second.duty.nextMs(31_000)]).toEqual([id, 61_000]);
    await waitingFor(id, 'go');
    expect((await post(`/${id}/approve`, 'approver')).status).toBe(200);
    await waitingFor(id, 'work');
    expect((await post(`/${id}/abort`, 'approver', { why: 'a false alarm' })).json.outcome).toBe('aborted');
    await second.recoveries.idle();
    expect(second.recoveries.stateOf(id)).toBeUndefined();
    expect(await nextDaemon().recoveries.goOn()).toBe(true);
  });

  it('whose ledger was away for long is gone on with by the same daemon, also where another one cannot be', async () => {
    const { recoveries, duty } = nextDaemon();
    const { id } = await recoveries.start({ runbook: 'gated' });
    const other = await recoveries.start({ runbook: 'gated', another: true });
    for (const each of [id, other.id]) await waitingFor(each, 'go');
    api.faults.rule = () => 'before';
    api.clock.advance(4 * 60_000);
    await recoveries.idle();
    api.faults.rule = () => undefined;
    const resume = vi.spyOn(recoveries, 'resume').mockRejectedValueOnce(new HoldfastError('bad-usage', 'not that one'));
    await expect(duty.run(0, new AbortController().signal)).rejects.toThrow('not that one');
    expect(resume).toHaveBeenCalledTimes(2);
    await duty.run(30_000, new AbortController().signal);
    for (const each of [id, other.id]) {
      expect(recoveries.stateOf(each)?.id).toBe(each);
      await waitingFor(each, 'go');
      expect((await post(`/${each}/abort`, 'approver', { why: 'a false alarm' })).status).toBe(200);
    }
    await recoveries.idle();
  });

  it('that ended by a fault of ours is left to a person', async () => {
    const { recoveries, duty } = nextDaemon();
    const { id } = await recoveries.start({ runbook: 'gated' });
    await waitingFor(id, 'go');
    api.faults.rule = ({ key = '' }) => {
      if (key.startsWith(CLAIMS_PREFIX)) throw new TypeError('a fault');
      return undefined;
    };
    expect((await post(`/${id}/approve`, 'approver')).status).toBe(200);
    await recoveries.idle();
    api.faults.rule = () => undefined;
    await duty.run(0, new AbortController().signal);
    expect(recoveries.stateOf(id)).toBeUndefined();
    expect((await recoveries.resume(id)).id).toBe(id);
    await waitingFor(id, 'work');
    expect((await post(`/${id}/abort`, 'approver', { why: 'enough' })).status).toBe(200);
    await recoveries.idle();
  });

  it('is not said to be begun where nothing decides who runs it', async () => {
    const isLease = ({ method, key = '' }: { method: string; key?: string }) =>
      method === 'put' && key.startsWith(`${LEASES_PREFIX}recovery-`);
    api.faults.rule = (called) => (isLease(called) ? 'before' : undefined);
    const answer = await post('', 'operator', { runbook: 'gated' });
    api.faults.rule = () => undefined;
    expect([answer.status, answer.json.code]).toEqual([503, 'store-unreachable']);
    const { incidents } = (await api.call('/api/v1/incidents', { as: 'viewer' })).json;
    const [{ id }] = incidents;
    expect(answer.json.message).toMatch(new RegExp(`^the incident ${id} is open, and its steps do not run yet: `));
    const { recoveries } = nextDaemon();
    await recoveries.goOn();
    await waitingFor(id, 'go');
    expect((await post(`/${id}/abort`, 'approver', { why: 'it was tried' })).status).toBe(200);
    await recoveries.idle();
  });

  it('and a drill are as the description of the API has them, also where its process died', async () => {
    const record = new RunRecord(api.workspace);
    const known = { runbook: 'noted', scenario: 'x', severity: 'p1', sinceFrom: 'start', params: {}, objectives: {} };
    const since = new Date(api.clock.nowMs()).toISOString();
    await record.append('drill.started', { drill: 'd1e', ...known, since, steps: [], network: 'none' } as never);
    await record.append('drill.kept', { drill: 'd1e', until: since, host: 'here', kept: [{ source: 'files' }] });
    await record.append('drill.finished', { drill: 'd1e', outcome: 'died', why: 'its process ended' });
    const view = await seen('d1e');
    expect(view).toMatchObject({ outcome: 'died', kept: { host: 'here' } });
    expect(z.strictObject(incident.shape).parse(view)).toEqual(view);
  });

  it('that a failure stopped is left to a person, also by the next daemon', async () => {
    const first = nextDaemon();
    const { id } = await first.recoveries.start({ runbook: 'gated' });
    await waitingFor(id, 'go');
    expect((await post(`/${id}/approve`, 'approver', { answer: 'refuse', note: 'not now' })).status).toBe(200);
    await first.recoveries.idle();
    expect(await seen(id)).toMatchObject({ state: 'stopped', steps: [{ error: { code: 'approval-refused' } }, {}] });
    const second = nextDaemon();
    await second.duty.run(0, new AbortController().signal);
    expect(second.recoveries.stateOf(id)).toBeUndefined();
    // By their answer it goes on.
    expect((await post(`/${id}/answer`, 'operator', { step: 'go', answer: 'again' })).status).toBe(200);
    await second.duty.run(30_000, new AbortController().signal);
    expect(second.recoveries.stateOf(id)?.id).toBe(id);
    await waitingFor(id, 'go');
    second.stop();
    await second.recoveries.idle();
    expect((await post(`/${id}/resume`, 'operator')).status).toBe(202);
    await waitingFor(id, 'go');
    expect((await post(`/${id}/abort`, 'approver', { why: 'enough' })).status).toBe(200);
  });
});
