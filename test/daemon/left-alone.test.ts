/** Incidents and drills whose process is gone, beside a daemon that runs. */
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DUTIES } from '../../src/daemon/duties.ts';
import { isProcessAlive } from '../../src/foundation/process-alive.ts';
import { document, environment, holdfast, startHoldfast } from '../support/cli.ts';
import { DaemonPlace } from '../support/daemon.ts';

const RUNBOOKS = `
contacts: { oncall: { role: On-call engineer } }
runbooks:
  held:
    scenario: Something waits for somebody
    steps: [{ id: gate, do: task, ask: "Somebody looked at it", assignee: oncall }]
  tried:
    scenario: Something is tried
    steps: [{ id: rest, do: wait, for: 10m, drill: run }]
`;
const MINUTE_MS = 60_000;

async function prepared() {
  const place = await DaemonPlace.with(new Date().toISOString(), { one: 'monthly' }, RUNBOOKS);
  const env = environment({ XDG_STATE_HOME: join(place.directory, 'state') });
  const daemon = await place.daemon({ duties: DUTIES });
  const pass = (minutes: number) =>
    place.run(daemon, new Date(place.clock.nowMs() + minutes * MINUTE_MS).toISOString());
  return { place, pass, env };
}

const gone = (pid: number) => expect.poll(() => isProcessAlive(pid), { timeout: 20_000 }).toBe(false);

describe('beside a daemon', () => {
  it('an incident that nobody runs is alarmed, until somebody goes on with it', { timeout: 60_000 }, async () => {
    const { place, pass, env } = await prepared();
    const detached = (...words: string[]) => startHoldfast(place.directory, [...words, '--detach', '--json'], env).done;
    const { id, process: pid } = document(await detached('recover', 'held'));
    onTestFinished(() => void (isProcessAlive(pid) && process.kill(pid, 'SIGKILL')));
    const raised = async () => (await place.bodies('alert.raised')).filter(({ rule }) => rule === 'incident-stalled');
    await pass(10);
    expect(await raised()).toEqual([]);
    process.kill(pid, 'SIGKILL');
    await gone(pid);
    await pass(4);
    expect(await raised()).toEqual([]);
    await pass(3);
    expect(await raised()).toMatchObject([{ subject: id, severity: 'p1', command: `holdfast incident resume ${id}` }]);
    await holdfast(place.directory, ['incident', 'abort', id, '--why', 'it was a test'], env);
    await pass(4);
    const resolved = (await place.bodies('alert.resolved')).map(({ alert }) => alert);
    expect(resolved).toContain((await raised())[0]!.alert);
  });

  it('a drill that was killed is closed, and none that is held', { timeout: 60_000 }, async () => {
    const { place, pass, env } = await prepared();
    const { child, done } = startHoldfast(place.directory, ['drill', 'tried'], env);
    const started = async () => (await place.bodies('step.started')).length;
    await expect.poll(started, { timeout: 20_000, interval: 100 }).toBeGreaterThan(0);
    await pass(61);
    expect(await place.bodies('drill.finished')).toEqual([]);
    child.kill('SIGKILL');
    await done;
    await pass(61);
    expect(await place.bodies('drill.finished')).toMatchObject([{ outcome: 'died' }]);
  });
});
