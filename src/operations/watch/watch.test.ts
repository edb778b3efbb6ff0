import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planWith } from '../../../test/support/plan.ts';
import { testDirectory } from '../../../test/support/repository.ts';
import type { WatchSummary } from '../../ledger/index.ts';
import type { Service } from '../../plan/index.ts';
import type { Sample } from '../alerts/facts/samples.ts';
import { askHttp } from './ask-http.ts';
import { QuantileDigest } from './quantile-digest.ts';
import { thinned } from './recent.ts';
import { shareIn } from './service.ts';
import { advanceService, type ServiceState } from './service-state.ts';
import { availabilityOf } from './services.ts';
import { StandbyLag } from './standby-lag.ts';
import { Watch } from './watch.ts';
import { WatchStore } from './watch-store.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const START = Date.parse('2026-03-02T00:00:00Z');

describe('a question over HTTP', () => {
  let server: Server;
  let base: string;
  let isCut = false;
  const pages: Record<string, RequestListener> = {
    '/good': (_, response) => response.end('fine'),
    '/bad': (_, response) => response.writeHead(503).end(),
    '/silent': () => {},
    '/slow-body': (_, response) => {
      response.write('some');
    },
    '/half': (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('some', () => response.destroy());
    },
    '/endless': (_, response) => {
      const fill = (): void => {
        while (response.write(Buffer.alloc(16_384)));
      };
      response.on('drain', fill);
      response.on('close', () => {
        isCut = true;
      });
      fill();
    },
    '/ftp': (_, response) => response.writeHead(302, { location: 'ftp://example.com/' }).end(),
    '/unchanged': (_, response) => response.writeHead(304).end(),
  };
  beforeAll(async () => {
    server = createServer((request, response) => {
      const [, left] = /^\/leads\/(\d+)$/.exec(request.url ?? '') ?? [];
      const page = pages[request.url ?? ''];
      if (left === undefined) page?.(request, response);
      else response.writeHead(302, { location: left === '1' ? '/good' : `/leads/${Number(left) - 1}` }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const ask = (path: string, timeoutMs = 5000, signal = new AbortController().signal) =>
    askHttp({ url: path.startsWith('http') ? path : `${base}${path}`, timeoutMs, limitBytes: 65_536, signal });

  it('gives the status and the body, behind five redirections and no more', async () => {
    expect(await ask('/good')).toEqual({ status: 200, body: Buffer.from('fine') });
    expect(await ask('/leads/5')).toMatchObject({ status: 200 });
    expect(await ask('/leads/6')).toEqual({ problem: 'leads elsewhere more than 5 times' });
    expect(await ask('/ftp')).toEqual({ problem: 'leads to what is not HTTP' });
    expect(await ask('/unchanged')).toMatchObject({ status: 304 });
    expect(await ask('/bad')).toMatchObject({ status: 503 });
  });

  it('says of each way of not answering which it is', async () => {
    expect(await ask('/silent', 50)).toEqual({ problem: 'did not answer within 50 ms' });
    expect(await ask('/slow-body', 50)).toEqual({ problem: 'did not answer within 50 ms' });
    expect(await ask('/half')).toEqual({ problem: 'did not answer: the connection was broken off' });
    expect(await ask('http://127.0.0.1:1/secret')).toEqual({ problem: 'did not answer: nothing listens there' });
    await expect(ask('/good', 5000, AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
  });

  it('reads no more of an endless body than its limit, and lets go of it', async () => {
    const reply = await ask('/endless');
    expect('body' in reply && reply.body.length).toBe(65_536);
    await expect.poll(() => isCut).toBe(true);
  });
});

describe('the answer of Prometheus', () => {
  const answer = (resultType: string, result: unknown) =>
    JSON.stringify({ status: 'success', data: { resultType, result } });
  it('is one number from 0 to 1, of a scalar or of a vector of one', () => {
    expect(shareIn(answer('scalar', [1, '0.25']))).toBe(0.25);
    expect(shareIn(answer('vector', [{ metric: {}, value: [1, '0'] }]))).toBe(0);
  });
  it.each([
    ['no series', answer('vector', [])],
    ['two series', answer('vector', [{ value: [1, '0'] }, { value: [1, '0'] }])],
    ['no number: nothing was asked of the service', answer('vector', [{ value: [1, 'NaN'] }])],
    ['a percentage', answer('scalar', [1, '12'])],
    ['less than nothing', answer('scalar', [1, '-0.1'])],
    ['an empty value', answer('scalar', [1, ''])],
    ['a matrix', answer('matrix', [])],
    ['an error', JSON.stringify({ status: 'error', errorType: 'bad_data', error: 'parse error' })],
    ['a page', '<html>'],
    ['null', 'null'],
  ])('is not known, and not 0, where it has %s', (_, text) => {
    expect(shareIn(text)).toEqual({ not: expect.any(String) });
  });
});

describe('the state of a service', () => {
  const through = (samples: Sample[], known?: ServiceState, everyMs = 30_000) =>
    samples.reduce<ServiceState | undefined>((state, sample) => advanceService(state, sample, everyMs), known)!;
  const good = (minute: number): Sample => ({ timeMs: START + minute * MINUTE_MS, valueMs: 10 });
  const bad = (minute: number): Sample => ({ timeMs: START + minute * MINUTE_MS, error: 'it answered 503' });
  const minute = (state: ServiceState) => (state.sinceMs - START) / MINUTE_MS;

  it('is down after three failures in a row, since the first of them, and up again with one good answer', () => {
    const two = through([good(0), bad(1), bad(2)]);
    expect([two.isDown, minute(two), two.failures]).toEqual([false, 0, 2]);
    const three = through([bad(3)], two);
    expect([three.isDown, minute(three), three.error]).toEqual([true, 1, 'it answered 503']);
    const more = through([bad(4)], three);
    expect([more.isDown, minute(more)]).toEqual([true, 1]);
    const back = through([good(5), good(6)], more);
    expect([back.isDown, minute(back), back.failures]).toEqual([false, 5, 0]);
    expect(through([good(0), bad(1), good(2), bad(3), bad(4)]).isDown).toBe(false);
  });

  it('says nothing of a time at which nobody looked', () => {
    expect(minute(through([good(0), good(1), good(40)]))).toBe(40);
    const gap = through([good(0), bad(1), bad(2), bad(40)]);
    expect([gap.isDown, gap.failures, minute(gap)]).toEqual([false, 1, 40]);
    const late = through([good(10), bad(9)]);
    expect([late.isDown, late.failures]).toEqual([false, 0]);
  });

  it('is down after three failures of a service that is asked seldom, too', () => {
    const hourly = through([good(0), bad(60), bad(120), bad(180)], undefined, HOUR_MS);
    expect([hourly.isDown, minute(hourly)]).toEqual([true, 60]);
    const gap = through([good(0), bad(60), bad(120), bad(301)], undefined, HOUR_MS);
    expect([gap.isDown, gap.failures]).toEqual([false, 1]);
  });
});

describe('a digest', () => {
  it('tells each quantile to within 1 %, whatever was measured, and through its stored form', () => {
    const values = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 1e12, noNaN: true })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(values, fc.constantFrom(0.01, 0.5, 0.95, 1), (measured, share) => {
        const digest = new QuantileDigest();
        for (const value of measured) digest.add(value);
        const exact = measured.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(measured.length * share)) - 1]!;
        const stored = new QuantileDigest(JSON.parse(JSON.stringify(digest)));
        for (const each of [digest, stored]) {
          expect(Math.abs(each.quantile(share)! - exact)).toBeLessThanOrEqual(exact * 0.01 + 1e-9);
          expect(each.most).toBe(Math.max(...measured));
        }
      }),
    );
    expect([new QuantileDigest().quantile(0.5), new QuantileDigest().most]).toEqual([undefined, undefined]);
  });
});

describe('what is kept of samples', () => {
  it('is little, and enough to say since when something is bad', () => {
    const badness = ({ error }: Sample) => (error === undefined ? 0 : Number.POSITIVE_INFINITY);
    const samples = Array.from({ length: 3 * 24 * 60 }, (_, at): Sample => {
      const timeMs = START + at * MINUTE_MS;
      return at < 60 ? { timeMs, valueMs: 1 } : { timeMs, error: 'bad' };
    });
    const nowMs = samples.at(-1)!.timeMs;
    const kept = thinned(samples, nowMs, badness);
    expect(kept.length).toBeLessThan(320);
    expect(kept.slice(0, 2)).toEqual([samples[59], samples[60]]);
    expect(kept.slice(-15)).toEqual(samples.slice(-15));
    // One good answer among the bad ones is not lost.
    const once = samples.map((each, at) => (at === samples.length - 120 ? { timeMs: each.timeMs, valueMs: 1 } : each));
    expect(thinned(once, nowMs, badness)).toContain(once.at(-120));
  });
});

describe('the lag of a standby', () => {
  const at = (minute: number, primaryLsn: bigint, replayedLsn: bigint, replayedMinute?: number) => ({
    primaryMs: START + minute * MINUTE_MS,
    ...{ primaryLsn, replayedLsn },
    replayedMs: replayedMinute === undefined ? undefined : START + replayedMinute * MINUTE_MS,
  });

  it('is nothing where it has all, however long ago the last transaction was', () => {
    expect(new StandbyLag().measure(at(600, 100n, 100n, 0))).toEqual({ lagMs: 0, lagBytes: 0n });
  });

  it('is counted from the last transaction that it has, or from what its primary had at a look before', () => {
    const lag = new StandbyLag();
    expect(lag.measure(at(10, 150n, 100n, 4))).toEqual({ lagMs: 6 * MINUTE_MS, lagBytes: 50n });
    lag.measure(at(600, 200n, 200n, 11));
    // Nothing was written from minute 11 to 600: it is behind by what came since then.
    expect(lag.measure(at(601, 300n, 200n, 11)).lagMs).toBe(MINUTE_MS);
    expect(lag.measure(at(605, 300n, 200n, 11)).lagMs).toBe(5 * MINUTE_MS);
    expect(lag.measure(at(606, 300n, 300n, 605)).lagMs).toBe(0);
  });

  it('is no less than what anybody saw, where the standby says nothing', () => {
    const lag = new StandbyLag();
    lag.measure(at(0, 100n, 50n));
    expect(lag.measure(at(7, 120n, 50n)).lagMs).toBe(7 * MINUTE_MS);
  });
});

describe('what was seen', () => {
  const service = (name: string): [string, Service] => [
    name,
    { name, http: 'http://x', everyMs: 30_000, timeoutMs: 1 },
  ];
  const plan = planWith({ services: new Map([service('api')]) });
  const path = () => join(testDirectory(), 'state', 'watch.sqlite');
  const open = (at: string, told: string[] = []) => WatchStore.open(at, (message) => told.push(message));
  const sample = (timeMs: number, error?: string): Sample => ({
    timeMs,
    valueMs: 100,
    ...(error !== undefined && { error }),
  });

  it('of a service that the plan has asked once an hour is that it is down after three failures', async () => {
    const store = await open(path());
    const [name, hourly] = service('api');
    const watch = new Watch(planWith({ services: new Map([[name, { ...hourly, everyMs: HOUR_MS }]]) }), store);
    for (const hour of [0, 1, 2]) watch.add('service', 'api', sample(START + hour * HOUR_MS, 'bad'));
    watch.write(START + 2 * HOUR_MS);
    expect(store.seen('service', 'api').state).toMatchObject({ isDown: true, sinceMs: START });
    store.close();
  });

  it('is there again after a restart, its hours go on, and each day is summed up once', async () => {
    const at = path();
    const first = await open(at);
    const watch = new Watch(plan, first);
    for (let minute = 0; minute < 30; minute += 1) watch.add('service', 'api', sample(START + minute * MINUTE_MS));
    watch.addErrorRate('api', { timeMs: START, share: 0.5 });
    watch.write(START + 30 * MINUTE_MS);
    first.close();
    const second = await open(at);
    const next = new Watch(plan, second);
    expect(next.samples().services[0]).toMatchObject({ service: 'api', errorRates: [{ share: 0.5 }] });
    for (let minute = 30; minute < 33; minute += 1)
      next.add('service', 'api', sample(START + minute * MINUTE_MS, 'bad'));
    next.add('service', 'api', sample(START + 2 * HOUR_MS));
    next.write(START + 2 * HOUR_MS);
    expect(second.seen('service', 'api').state).toMatchObject({ isDown: false, sinceMs: START + 2 * HOUR_MS });
    const summaries: WatchSummary[] = [];
    let isDurable = false;
    const append = async (summary: WatchSummary) => {
      summaries.push(summary);
      return isDurable;
    };
    await next.summarise(START + 23 * HOUR_MS, append);
    expect(summaries).toEqual([]);
    await next.summarise(START + DAY_MS, append);
    isDurable = true;
    await next.summarise(START + DAY_MS, append);
    await next.summarise(START + DAY_MS, append);
    expect(summaries).toHaveLength(2);
    const { hours, ...about } = summaries[1]!;
    expect(about).toEqual({ kind: 'service', name: 'api', day: '2026-03-02T00:00:00.000Z' });
    expect(hours.slice(0, 4)).toEqual([[33, 3, 99.9, 99.9, 100], null, [1, 0, 99.9, 99.9, 100], null]);
    expect(hours).toHaveLength(24);
    expect(availabilityOf('api', summaries, [], START + DAY_MS)).toEqual({ days: 30, share: 1 - 3 / 34, samples: 34 });
    expect(availabilityOf('api', [], second.hours(0), START + DAY_MS)?.samples).toBe(34);
    expect(availabilityOf('api', summaries, [], START + 40 * DAY_MS)).toBeUndefined();
    second.close();
  });

  it('is of now where it was seen before the clock was set back, so that it grows old with it', async () => {
    const store = await open(path());
    const watch = new Watch(plan, store);
    const YEAR_MS = 365 * DAY_MS;
    for (let minute = 0; minute < 3; minute += 1) {
      watch.add('service', 'api', { timeMs: START + YEAR_MS + minute * MINUTE_MS, valueMs: 9000, error: 'bad' });
      watch.addErrorRate('api', { timeMs: START + YEAR_MS + minute * MINUTE_MS, share: 1 });
    }
    watch.add('service', 'api', sample(START, 'bad'));
    watch.addErrorRate('api', { timeMs: START, share: 1 });
    const { samples, errorRates } = watch.samples().services[0]!;
    expect(samples.map(({ timeMs }) => timeMs)).toEqual([START, START, START, START]);
    expect(errorRates.map(({ timeMs }) => timeMs)).toEqual([START, START, START, START]);
    store.close();
  });

  it('can be deleted, and gives way to a new file where it is none, which is said', async () => {
    const at = path();
    (await open(at)).close();
    rmSync(at);
    const told: string[] = [];
    (await open(at, told)).close();
    expect(told).toEqual([]);
    writeFileSync(at, 'no database at all, and longer than a header of one would be'.repeat(20));
    for (const end of ['-wal', '-shm']) rmSync(`${at}${end}`, { force: true });
    const store = await open(at, told);
    expect(told).toEqual([expect.stringContaining('could not be read, and begins anew')]);
    expect(new Watch(plan, store).samples().services).toEqual([{ service: 'api', samples: [], errorRates: [] }]);
    store.close();
    expect(readFileSync(at).subarray(0, 15).toString()).toBe('SQLite format 3');
    expect(WatchStore.read(join(testDirectory(), 'none'))).toBeUndefined();
    // A file is where the directory would be.
    await expect(open(join(at, 'watch.sqlite'))).rejects.toMatchObject({ code: 'watch-failed' });
  });

  it('lasts no longer here than it takes to have it in the ledger', async () => {
    const store = await open(path());
    const watch = new Watch(plan, store);
    for (let day = 0; day < 20; day += 1) {
      watch.add('service', 'api', sample(START + day * DAY_MS));
      watch.write(START + day * DAY_MS);
      await watch.summarise(START + day * DAY_MS, async () => true);
    }
    expect(store.hours(0)).toHaveLength(9 + 1);
    store.close();
  });
});
