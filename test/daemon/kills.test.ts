import { expect, it } from 'vitest';
import type { Daemon, DaemonOptions } from '../../src/daemon/daemon.ts';
import type { Work } from '../../src/daemon/work/work.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import { DaemonPlace } from '../support/daemon.ts';

/** How often a daemon that takes real backups is killed, by hand: HOLDFAST_TEST_KILLS=100. */
const KILLS = Number(process.env['HOLDFAST_TEST_KILLS'] ?? 0);
const START = '2026-03-02T10:50:00Z';
const MINUTE_MS = 60_000;

/** Lets every store die before the n-th change (from 0) to any: nothing that comes then has an effect, nor an answer. */
function dying(place: DaemonPlace, n: number) {
  const state = { died: false, changes: 0 };
  const environment = place.environmentWith(
    (store) =>
      new FaultyStore(store, ({ method }) => {
        const isChange = method === 'put' || method === 'delete';
        if (isChange && state.changes++ === n) state.died = true;
        return state.died ? 'before' : undefined;
      }),
  );
  return { state, environment };
}

/** A backup that does no more than say that it was taken, so that a daemon can be killed before each of its writes. */
const recorded: Work = async (workspace, { subject }) => {
  const { ledger } = await workspace.open('main');
  const nothing = { durationMs: 0, bytesProcessed: 0, bytesAdded: 0, problems: 0 };
  const time = new Date(workspace.environment.clock.nowMs()).toISOString();
  const taken = { source: subject, snapshot: 'a', tree: 'b', outcome: 'complete', time, ...nothing } as const;
  await ledger.append('backup.finished', taken);
  return { outcome: 'done' };
};

/** Lets it run until it is killed, or an hour has passed. */
async function runKilled(place: DaemonPlace, n: number, options: Partial<DaemonOptions>): Promise<boolean> {
  const { state, environment } = dying(place, n);
  let daemon: Daemon | undefined;
  const until = place.clock.nowMs() + 45 * MINUTE_MS;
  try {
    daemon = await place.daemon({ environment, ...options });
    while (!state.died && place.clock.nowMs() < until) {
      await place.settle(daemon);
      if (!state.died) place.clock.passUntil(Math.min(until, daemon.nextMs()));
    }
  } catch (error) {
    if (!state.died) throw error;
  }
  return state.died;
}

const CASES: [name: string, kills: number, options: Partial<DaemonOptions>][] = [
  ['of it', Number.POSITIVE_INFINITY, { work: { backup: recorded } }],
  ...(KILLS > 0 ? ([['of a real backup', KILLS, {}]] satisfies typeof CASES) : []),
];

it.each(CASES)(
  'forgets and doubles nothing that was acknowledged, at whichever write %s it is killed',
  async (_, kills, options) => {
    const whole = await DaemonPlace.with(START, { note: 'hourly' });
    const { state, environment } = dying(whole, Number.POSITIVE_INFINITY);
    const undisturbed = await whole.daemon({ environment, ...options });
    await whole.run(undisturbed, '2026-03-02T11:40:00Z');
    const writes = state.changes;
    expect((await whole.bodies('backup.finished')).length).toBe(2);

    const points = Math.min(kills, writes);
    for (let index = 0; index < points; index++) {
      const place = await DaemonPlace.with(START, { note: 'hourly' });
      expect(await runKilled(place, Math.floor(((index + 0.5) * writes) / points), options)).toBe(true);
      const daemon = await place.daemon(options);
      await place.run(daemon, '2026-03-02T11:40:00Z');
      await daemon.stop('over');

      const started = await place.bodies('run.started');
      const [finished, died] = [await place.bodies('run.finished'), await place.bodies('run.died')];
      // Every run that began has one end.
      const ends = [...finished, ...died].map(({ run }) => run);
      expect(new Set(ends).size).toBe(ends.length);
      expect(ends.sort()).toEqual([...new Set(started.map(({ run }) => run))].sort());
      expect(died.length).toBeLessThanOrEqual(1);
      // Each moment was made good: by a run that succeeded, or by a backup that was recorded before its run died.
      const backups = (await place.bodies('backup.finished')).length;
      const good = finished.filter(({ outcome }) => outcome === 'done').map(({ run }) => run);
      const dues = started.filter(({ run }) => good.includes(run)).map(({ due }) => due);
      expect(new Set(dues).size).toBe(dues.length);
      expect(backups).toBe(2);
      const begun = started.map(({ due }) => due);
      expect(begun).toContain('2026-03-02T11:00:00.000Z');
    }
  },
  300_000 + KILLS * 10_000,
);
