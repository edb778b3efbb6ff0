import { expect, it } from 'vitest';
import { DaemonPlace } from '../support/daemon.ts';

const PLAN = `runbooks:
  lost:
    scenario: All is lost
    steps:
      - { id: go, do: approve, ask: "Restore it?", by: [oncall] }
      - { id: restore, do: restore, source: a, to: /srv/back }
      - { id: verify, do: verify, sources: [a], against: "\${restore.target}", restoresService: true }
contacts: { oncall: { role: On-call engineer } }
drills: [{ runbooks: [lost], schedule: daily at 03:00 }]`;

it('holds a drill when it is due, and of those that were due while it was away one, and says how many it missed', async () => {
  const place = await DaemonPlace.with('2026-05-01T01:00:00Z', { a: 'daily at 02:00' }, PLAN);
  const first = await place.daemon();
  await place.run(first, '2026-05-01T04:00:00Z');
  await first.stop('over');
  const held = { runbook: 'lost', outcome: 'done' };
  const ended = async () => {
    const [started, finished] = [await place.bodies('drill.started'), await place.bodies('drill.finished')];
    return started.map(({ runbook, task }, index) => ({ runbook, task, outcome: finished[index]?.outcome }));
  };
  expect(await ended()).toEqual([{ ...held, task: 'drill:lost-1' }]);

  // Away from the second to the fifth of May.
  place.clock.passUntil('2026-05-05T12:00:00Z');
  const second = await place.daemon();
  await place.run(second, '2026-05-05T13:00:00Z');
  await second.stop('over');
  expect(await ended()).toEqual(Array(2).fill({ ...held, task: 'drill:lost-1' }));
  const missed = (await place.bodies('run.missed')).filter(({ task }) => task === 'drill:lost-1');
  expect(missed.map(({ count }) => count)).toEqual([4]);
});
