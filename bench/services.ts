/**
 * What watching services costs: the processor time of asking each of them once, beside how often that is done.
 * node bench/services.ts --services 50 --rounds 20
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/foundation/clock.ts';
import { askService } from '../src/operations/watch/service.ts';
import { Watch } from '../src/operations/watch/watch.ts';
import { WatchStore } from '../src/operations/watch/watch-store.ts';
import type { Workspace } from '../src/operations/workspace.ts';
import type { Service } from '../src/plan/index.ts';
import { planWith } from '../test/support/plan.ts';

const EVERY_MS = 30_000;
const WARM_ROUNDS = 5;

if (process.send !== undefined) {
  const server = createServer((_, response) => response.end('fine')).listen(0, '127.0.0.1');
  server.on('listening', () => process.send!((server.address() as AddressInfo).port));
} else {
  const { values } = parseArgs({ options: { services: { type: 'string' }, rounds: { type: 'string' } } });
  const [count, rounds] = [Number(values.services ?? 50), Number(values.rounds ?? 40)];
  const child = fork(new URL(import.meta.url));
  const [port] = (await once(child, 'message')) as [number];
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  try {
    const services = new Map(
      Array.from({ length: count }, (_, index): [string, Service] => {
        const name = `service-${index}`;
        return [name, { name, http: `http://127.0.0.1:${port}/${name}`, everyMs: EVERY_MS, timeoutMs: 5000 }];
      }),
    );
    const { signal } = new AbortController();
    const plan = planWith({ services });
    const store = await WatchStore.open(join(directory, 'watch.sqlite'), console.error);
    const watch = new Watch(plan, store);
    const workspace = {
      environment: { clock: systemClock },
      references: { directory, env: {}, signal },
    } as unknown as Workspace;
    const round = async (): Promise<void> => {
      for (const service of services.values())
        watch.add('service', service.name, await askService(service, workspace, signal));
      // Twice in 30 seconds, as the daemon does it.
      for (let write = 0; write < 2; write += 1) watch.write(systemClock.nowMs());
    };
    for (let warm = 0; warm < WARM_ROUNDS; warm += 1) await round();
    const before = process.cpuUsage();
    for (let at = 0; at < rounds; at += 1) await round();
    const { user, system } = process.cpuUsage(before);
    const perRoundMs = (user + system) / 1000 / rounds;
    console.log(
      `${count} services: ${perRoundMs.toFixed(1)} ms of processor time a round, ${((perRoundMs / EVERY_MS) * 100).toFixed(3)} % of a processor where each is asked every ${EVERY_MS / 1000} s`,
    );
    store.close();
  } finally {
    child.kill();
    rmSync(directory, { recursive: true });
  }
}
