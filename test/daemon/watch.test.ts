import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { watching } from '../../src/daemon/duties/watch.ts';
import { document, environment, holdfast } from '../support/cli.ts';
import { DaemonPlace } from '../support/daemon.ts';

let server: Server;
let url: string;
let answers: 'well' | 'badly' | 'with nonsense' = 'well';
beforeAll(async () => {
  server = createServer((request, response) => {
    const isPrometheus = request.url!.startsWith('/api/v1/query?query=errors');
    if (!isPrometheus) response.writeHead(answers === 'badly' ? 503 : 200).end();
    else if (answers === 'with nonsense') response.end('{}');
    else response.end(JSON.stringify({ status: 'success', data: { resultType: 'scalar', result: [0, '0.25'] } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

it('watches services through failures, a restart and the end of the day, and says what it saw', async () => {
  const services = `services:
  api: { http: "${url}/health", every: 20m, errorRate: { prometheus: "${url}", query: errors } }
`;
  const place = await DaemonPlace.with('2026-03-02T20:00:00Z', { file: 'daily at 02:00' }, services);
  const made: ReturnType<typeof watching>[] = [];
  const keeping = [
    (context: Parameters<typeof watching>[0]) => {
      // As often as it is needed: what is kept every few seconds would make the test long.
      made.push(watching(context));
      return made.at(-1)!.duties.map((each) => (each.name === 'samples' ? { ...each, nextMs: everyHour() } : each));
    },
  ];
  const first = await place.daemon({ duties: keeping });
  await place.run(first, '2026-03-02T21:10:00Z');
  answers = 'badly';
  await place.run(first, '2026-03-02T22:10:00Z');
  expect(
    made[0]!
      .samples()!
      .services[0]!.samples.slice(-3)
      .map(({ error }) => error),
  ).toEqual([...['it answered 503', 'it answered 503', 'it answered 503']]);
  await first.stop('restart');

  const env = { ...environment(), XDG_STATE_HOME: place.environment.variables['XDG_STATE_HOME']! };
  const second = await place.daemon({ duties: keeping });
  answers = 'with nonsense';
  await place.run(second, '2026-03-03T00:30:00Z');
  answers = 'well';
  await place.run(second, '2026-03-03T01:30:00Z');
  await second.stop('over');
  const rates = made[1]!.samples()!.services[0]!.errorRates;
  expect(new Set(rates.map(({ share }) => share))).toEqual(new Set([0.25]));
  expect(await place.bodies('duty.failed')).toEqual([
    { duty: 'error rate of api', code: 'watch-failed', message: expect.stringContaining('no result') },
  ]);
  expect(await place.bodies('duty.recovered')).toEqual([{ duty: 'error rate of api' }]);
  const summaries = await place.bodies('watch.summarised');
  expect(summaries).toHaveLength(1);
  expect(summaries[0]).toMatchObject({ kind: 'service', name: 'api', day: '2026-03-02T00:00:00.000Z' });
  const hours = summaries[0]!.hours.slice(20).map((hour) => hour?.slice(0, 2));
  expect(hours.map((hour) => hour?.[1])).toEqual([0, 2, 1, 0]);

  // Its own clock is another one: nobody watches now, so that it is asked.
  const asked = await holdfast(place.directory, ['services', '--json'], env);
  expect(asked.exit, asked.stderr).toBe(0);
  expect(document(asked).services).toMatchObject([{ service: 'api', state: 'up', isWatched: false }]);
  answers = 'badly';
  const failing = await holdfast(place.directory, ['services'], env);
  expect(failing.exit).toBe(4);
  expect(failing.stdout).toMatch(/api +failing .*it answered 503; asked just now/);
});

/** Each time anew, so that every generation of duties counts for itself. */
function everyHour(): (nowMs: number) => number {
  let nextMs = 0;
  return (nowMs) => {
    if (nowMs >= nextMs) {
      nextMs = nowMs + 3_600_000;
      return nowMs;
    }
    return nextMs;
  };
}

it('samples standbys, mirrors, logs and how full a repository is, and takes none that it cannot see for a good one', async () => {
  const place = await DaemonPlace.with('2026-03-02T22:50:00Z', {});
  const repositories = `repositories:
  main: { store: ./repository, password: { env: HOLDFAST_PASSWORD }, capacity: { warnAt: 80%, of: 1GB } }
  copy: { store: ./copy, mirrorOf: main }
sources:
  db: { type: postgres, url: "postgres://127.0.0.1:1/shop", method: physical, wal: stream, schedule: daily }
standbys:
  eu: { of: db, url: "postgres://127.0.0.1:1/shop" }
`;
  writeFileSync(join(place.directory, 'holdfast.yaml'), `version: 1\nname: test\n${repositories}`);
  const made: ReturnType<typeof watching>[] = [];
  const duties = [
    (context: Parameters<typeof watching>[0]) => {
      made.push(watching(context));
      return made.at(-1)!.duties.map((each) => (each.name === 'samples' ? { ...each, nextMs: everyHour() } : each));
    },
  ];
  const daemon = await place.daemon({ duties, work: {} });
  await place.run(daemon, '2026-03-03T00:51:00Z');
  await daemon.stop('over');
  expect(await place.bodies('duty.failed')).toEqual([]);
  const last = (await place.bodies('watch.summarised')).map(({ kind, name, hours }) => [kind, name, hours[23]]);
  expect(Object.fromEntries(last.map(([kind, ...rest]) => [kind, rest]))).toEqual({
    standby: ['eu', [60, 60, null, null, null]],
    source: ['db', [4, 4, null, null, null]],
    mirror: ['copy', [1, 0, 0, 0, 0]],
    repository: ['main', [1, 0, expect.any(Number), expect.any(Number), expect.any(Number)]],
  });
  expect(last.find(([kind]) => kind === 'repository')![2]![4]).toBeGreaterThan(100);
  expect(made[0]!.samples()!.standbys).toMatchObject([{ standby: 'eu', of: 'db' }]);
  expect(made[0]!.samples()!.standbys[0]!.samples.at(-1)).toMatchObject({
    error: expect.stringContaining('no connection'),
  });
});
