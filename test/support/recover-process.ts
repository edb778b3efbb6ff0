/**
 * A recovery by the plan of the working directory, in a process of its own that is killed at a moment: opens the incident, or goes
 * on with the one that is open. Arguments: which call is its last, `put`, `get` or nothing; which of these calls, from 0; whether
 * the call takes effect. Says `calls`, with how many of each there were, and `ended`, with the outcome.
 */
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { adapters } from '../../src/main/adapters.ts';
import { Workspace } from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { listIncidents, recover, resume } from '../../src/recovery/index.ts';
import { DecoratedStore } from '../../src/store/index.ts';

const [method = '', at = '-1', takesEffect = 'no'] = process.argv.slice(2);
const calls = { put: 0, get: 0 };

/** Does a call, the so many-th of its kind, and ends the process before or behind it where it is to be the last. */
async function counted<T>(called: keyof typeof calls, work: () => Promise<T>): Promise<T> {
  const isLast = calls[called]++ === Number(at) && called === method;
  if (isLast && takesEffect === 'no') process.kill(process.pid, 'SIGKILL');
  const result = await work();
  if (isLast) process.kill(process.pid, 'SIGKILL');
  return result;
}

/** Counts what is put and what of the data is read, and ends the process at one of these calls. */
class KillingStore extends DecoratedStore {
  override put(...call: Parameters<DecoratedStore['put']>): Promise<void> {
    return counted('put', () => this.inner.put(...call));
  }

  override get(...call: Parameters<DecoratedStore['get']>): Promise<Uint8Array> {
    const read = () => this.inner.get(...call);
    return call[0].startsWith('data/') ? counted('get', read) : read();
  }
}

const loaded = await loadPlan({ cwd: process.cwd(), env: {} });
const workspace = new Workspace(loaded, {
  ...{ clock: systemClock, version: '0.0.0', signal: new AbortController().signal, progress: () => noProgress },
  variables: process.env,
  adapters: { ...adapters, openStore: async (...given) => new KillingStore(await adapters.openStore(...given)) },
});
const [open] = await listIncidents(workspace);
const run = open === undefined ? recover(workspace, { runbook: 'it' }) : resume(workspace, open.id);
const { ended, steps } = await run;
process.stdout.write(`calls ${JSON.stringify(calls)}\n`);
const phases = steps.map(({ plan, phase }) => `${plan.id} ${phase}`).join(', ');
process.stdout.write(`ended ${JSON.stringify({ outcome: ended?.outcome, phases })}\n`);
