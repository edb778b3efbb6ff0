import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { LogFields } from '../../src/daemon/log.ts';
import { serve } from '../../src/daemon/serve.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { addToken, Workspace } from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import { startHttpReceiver } from '../support/channel-servers.ts';
import type { Ran } from '../support/cli.ts';
import { environment, holdfast, initialise, scratchDirectory, startHoldfast, writePlan } from '../support/cli.ts';
import { DaemonPlace, silentLog } from '../support/daemon.ts';
import { requires } from '../support/requirements.ts';
import { resticCheck } from '../support/restic.ts';

const SOURCE = (directory: string, schedule: string): string =>
  `  note: { type: files, paths: [${directory}/data], schedule: ${schedule}, retention: { last: 9 }, objectives: { rpo: 40d } }`;

/** A plan with a watched directory beside what is due daily, and a daemon of it as a process of its own. */
async function served() {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'note.txt'), 'remember');
  writePlan(directory, SOURCE(directory, 'daily'));
  await initialise(directory);
  const env = environment({ XDG_STATE_HOME: join(directory, 'state') });
  const { child, done } = startHoldfast(directory, ['serve'], env);
  const lines: Record<string, unknown>[] = [];
  let rest = '';
  child.stderr!.on('data', (bytes: Buffer) => {
    const parts = (rest + bytes.toString()).split('\n');
    rest = parts.pop()!;
    for (const part of parts) if (part.startsWith('{')) lines.push(JSON.parse(part));
  });
  /** Resolves to the line when there is one like it, and throws when the daemon ended without. */
  const line = async (message: string, fields: object = {}): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = lines.find((each) =>
        Object.entries({ message, ...fields }).every(([key, value]) => each[key] === value),
      );
      if (found !== undefined) return found;
      const ended = await Promise.race([
        done,
        new Promise<undefined>((resolve) => child.stderr!.once('data', () => resolve(undefined))),
      ]);
      if (ended !== undefined) throw new Error(`it ended without saying ${message}: ${(ended as Ran).stderr}`);
    }
  };
  return { directory, env, child, done, line };
}

it('runs a plan until it is told to stop, takes over what SIGHUP has it load, and lets no second one run', async () => {
  const { directory, env, child, done, line } = await served();
  expect(await line('started')).toMatchObject({
    level: 'info',
    pid: child.pid,
    plan: join(directory, 'holdfast.yaml'),
  });
  await line('run finished', { task: 'backup:note', outcome: 'done' });

  const second = await holdfast(directory, ['serve'], env);
  expect(second.exit).toBe(1);
  expect(second.stderr).toContain(`process ${child.pid} on `);
  expect(second.stderr).toContain('--take-over');
  // Without the state directory that both share the lease in the repository decides.
  const elsewhere = await holdfast(directory, ['serve'], { ...env, XDG_STATE_HOME: join(directory, 'elsewhere') });
  expect(elsewhere.stderr).toContain(`process ${child.pid} on `);

  const plan = readFileSync(join(directory, 'holdfast.yaml'), 'utf8');
  writeFileSync(join(directory, 'holdfast.yaml'), plan.replace('daily', 'dayly').replace('last: 9', 'last: nine'));
  child.kill('SIGHUP');
  const refused = await line('the plan was refused; the one that was loaded before still holds');
  expect(refused['problems']).toHaveLength(2);
  writePlan(directory, `${SOURCE(directory, 'daily')}\n${SOURCE(directory, 'hourly').replace('note', 'more')}`);
  child.kill('SIGHUP');
  await line('run finished', { task: 'backup:more', outcome: 'done' });

  child.kill('SIGTERM');
  const ran = await done;
  expect(ran.exit).toBe(0);
  const recorded = await eventsIn(directory);
  expect(recorded.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['daemon.started', 'plan.refused', 'plan.reloaded', 'daemon.stopped']),
  );
  if (requires('restic')) resticCheck(join(directory, 'repository'));
});

it('answers and alarms while the repository is away at the start, and goes on when it is back', async () => {
  const hook = await startHttpReceiver();
  onTestFinished(hook.close);
  const place = await DaemonPlace.with(
    new Date().toISOString(),
    { note: 'daily' },
    `alerts: { channels: { hook: { type: webhook, url: ${hook.url} } }, routes: [{ to: hook }], rules: { repository-unreachable: { after: 0s } } }`,
  );
  const ending = new AbortController();
  let isAway = true;
  const atFirst = new Workspace(await loadPlan({ cwd: place.directory, env: {} }), place.environment);
  const { token } = await addToken(atFirst, { name: 'oncall', role: 'operator' });
  const said: Record<string, LogFields | undefined> = {};
  const say = (message: string, fields?: LogFields): void => {
    said[message] = fields ?? {};
  };
  const reloads: (() => void)[] = [];
  const done = serve({
    environment: {
      ...place.environmentWith((store) => new FaultyStore(store, () => (isAway ? 'before' : undefined))),
      ...{ clock: systemClock, signal: ending.signal, stateDirectory: join(place.directory, 'state') },
    },
    loadPlan: () => loadPlan({ cwd: place.directory, env: {} }),
    log: { info: say, warn: say, error: say },
    ...{ isFollowing: false, isTakingOver: false, openEveryMs: 50 },
    api: { listen: '127.0.0.1:0', insecure: false },
    onReload: (reload) => void reloads.push(reload),
  });
  await vi.waitUntil(() => said['API listening'], PATIENT);
  const url = String(said['API listening']!['url']);
  const answer = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    return [response.status, await response.text()];
  };
  expect(await answer('/healthz')).toEqual([200, '{"alive":true}']);
  expect(await answer('/readyz')).toEqual([503, '{"ready":false,"lease":false,"repository":false}']);
  expect((await answer('/metrics'))[1]).toContain('holdfast_ready 0');
  expect(await answer('/api/v1/status')).toEqual([503, expect.stringContaining('"code":"waiting"')]);
  await vi.waitUntil(() => hook.requests.length > 0, PATIENT);
  expect(hook.requests[0]!.body).toContain('repository-unreachable');
  // What is told to be loaded meanwhile is what it begins with.
  place.plan({ note: 'daily', more: 'daily' }, `alerts: { channels: { hook: { type: webhook, url: ${hook.url} } } }`);
  reloads.at(-1)!();
  await vi.waitUntil(() => said['the plan was loaded again'], PATIENT);
  isAway = false;
  await vi.waitUntil(async () => (await answer('/readyz'))[0] === 200, PATIENT);
  expect((await answer('/api/v1/status'))[0]).toBe(401);
  // Who is woken by its going away again has called for nothing before.
  isAway = true;
  const { id } = JSON.parse(hook.requests[0]!.body).data.alerts[0];
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const seenTo = await fetch(`${url}/api/v1/alerts/${id}/acknowledge`, { method: 'POST', headers, body: '{}' });
  expect([seenTo.status, await seenTo.json()]).toMatchObject([200, { id, isNew: true }]);
  isAway = false;
  ending.abort();
  expect(Date.parse((await done).stopped)).toBeGreaterThan(0);
  expect(await place.bodies('alert.raised')).toMatchObject([{ rule: 'repository-unreachable', subject: 'main' }]);
  const planned = (await place.bodies('tasks.changed')).flatMap((each) => each.planned.map(({ task }) => task));
  expect(planned).toContain('backup:more');
});

it('ends in good order though the repository never came', async () => {
  const place = await DaemonPlace.with(new Date().toISOString(), { note: 'daily' });
  const ending = new AbortController();
  const { stopped } = await serve({
    environment: {
      ...place.environmentWith((store) => new FaultyStore(store, () => 'before')),
      ...{ clock: systemClock, signal: ending.signal, stateDirectory: join(place.directory, 'state') },
    },
    loadPlan: () => loadPlan({ cwd: place.directory, env: {} }),
    log: { ...silentLog, error: () => ending.abort() },
    ...{ isFollowing: false, isTakingOver: false, onReload: () => {} },
  });
  expect(Date.parse(stopped)).toBeGreaterThan(0);
});

const PATIENT = { timeout: 30_000 };

async function eventsIn(directory: string) {
  const place = new DaemonPlace('2026-01-01T00:00:00Z', directory);
  return place.events();
}
