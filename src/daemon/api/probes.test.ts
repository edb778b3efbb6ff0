import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../../../test/support/api.ts';
import { holdfast } from '../../../test/support/cli.ts';
import { Latest } from './latest.ts';

let api: TestApi;

beforeAll(async () => {
  // Reachable from elsewhere, so that metrics take a token.
  api = await startApi({ address: { host: '0.0.0.0', port: 0 }, insecure: true });
  await holdfast(api.directory, ['backup']);
  api.clock.advance(60_000);
});

afterAll(() => api.close());

/** The value of a metric with these labels; undefined where it has none. */
function metricOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

it('what costs to be gathered is waited for no longer than who asks waits', async () => {
  const hung = Promise.withResolvers<number>();
  const latest = new Latest(() => hung.promise, { clock: api.clock, freshMs: 0, share: 1, waitMs: 10 });
  expect(await latest.get()).toEqual({ gathered: undefined, error: undefined, isLate: true });
  hung.resolve(7);
  expect(await latest.get()).toMatchObject({ gathered: { value: 7 }, isLate: false });
});

describe('metrics', () => {
  it('take a token where others reach them, and are no event of their own each time', async () => {
    expect((await api.call('/metrics')).status).toBe(401);
    expect((await api.call('/metrics', { as: 'viewer' })).headers.get('content-type')).toMatch(
      /^text\/plain; version=/,
    );
    api.recorded.length = 0;
    for (let time = 0; time < 3; time++) expect((await api.call('/metrics', { as: 'viewer' })).status).toBe(200);
    expect(api.recorded).toEqual([]);
  });

  it('say how old the newest recovery point is, also between two looks at the repository', async () => {
    const before = (await api.call('/metrics', { as: 'viewer' })).text;
    const age = metricOf(before, 'holdfast_rpo_seconds{source="files"}')!;
    expect(age).toBeGreaterThan(30);
    expect(metricOf(before, 'holdfast_rpo_objective_seconds{source="files"}')).toBe(3600);
    expect(metricOf(before, 'holdfast_snapshots{source="files"}')).toBe(1);
    expect(metricOf(before, 'holdfast_stored_bytes_total{source="files"}')).toBeGreaterThan(0);
    expect(metricOf(before, 'holdfast_up{version="0.0.0"}')).toBe(1);
    expect(metricOf(before, 'holdfast_ready')).toBe(1);
    expect(metricOf(before, 'holdfast_ledger_events_total')).toBeGreaterThan(4);
    for (const period of ['month', 'quarter']) {
      const labels = `source="files",kind="backup",period="${period}"`;
      expect(metricOf(before, `holdfast_period_success_ratio{${labels}}`)).toBe(1);
      expect(metricOf(before, `holdfast_period_rpo_seconds{source="files",period="${period}"}`)).toBeGreaterThan(30);
    }
    api.clock.advance(10_000);
    const after = (await api.call('/metrics', { as: 'viewer' })).text;
    expect(metricOf(after, 'holdfast_rpo_seconds{source="files"}')! - age).toBeCloseTo(10, 3);
    await api.context.record('run.finished', { run: 'a', task: 'backup:files', outcome: 'failed', durationMs: 1 });
    await api.context.record('run.finished', { run: 'b', task: 'backup:files', outcome: 'failed', durationMs: 1 });
    api.clock.advance(60_000);
    const later = (await api.call('/metrics', { as: 'viewer' })).text;
    expect(metricOf(later, 'holdfast_runs_total{kind="backup",outcome="failed"}')).toBe(2);
  });

  it('have the mean time to recovery of this month, or of the one that was just over', async () => {
    for (const [incident, rtoMs] of Object.entries({ quick: 600_000, slow: 1_800_000 }))
      await api.context.record('incident.closed', { incident, outcome: 'done', rtoMs, durationMs: 1 });
    // So long the figures of periods are believed.
    api.clock.advance(16 * 60_000);
    const { text } = await api.call('/metrics', { as: 'viewer' });
    const of = (period: string) => metricOf(text, `holdfast_period_mttr_seconds{period="${period}"}`);
    expect([of('month'), of('previous-month')]).toContain(1200);
  });

  it('go on with what is known while the repository is away, and say so', async () => {
    expect((await api.call('/readyz')).json).toEqual({ ready: true, lease: true, repository: true });
    api.faults.rule = () => 'before';
    api.clock.advance(60_000);
    const { text } = await api.call('/metrics', { as: 'viewer' });
    expect(metricOf(text, 'holdfast_figures_success')).toBe(0);
    expect(metricOf(text, 'holdfast_rpo_seconds{source="files"}')).toBeGreaterThan(120);
    expect(metricOf(text, 'holdfast_ready')).toBe(0);
    const ready = await api.call('/readyz');
    expect([ready.status, ready.json]).toEqual([503, { ready: false, lease: true, repository: false }]);
    expect((await api.call('/healthz')).status).toBe(200);
    expect(api.logged).toContainEqual(expect.objectContaining({ level: 'error' }));
    api.faults.rule = () => undefined;
  });
});
