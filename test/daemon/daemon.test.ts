import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { coming, Workspace } from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { document, environment, holdfast } from '../support/cli.ts';
import { DaemonPlace } from '../support/daemon.ts';

it('backs up what is due when it is due, and records each run with the moment that it was for', async () => {
  const place = await DaemonPlace.with('2026-03-02T10:30:00Z', { often: 'hourly', nightly: 'daily at 02:00' });
  const daemon = await place.daemon();
  await place.run(daemon, '2026-03-02T12:30:00Z');
  await daemon.stop('over');
  const started = await place.bodies('run.started');
  expect(started.map(({ task, due, attempt }) => [task, due, attempt])).toEqual([
    // What was never backed up is so at once.
    ['backup:often', '2026-03-02T10:30:00.000Z', 1],
    ['backup:nightly', '2026-03-02T10:30:00.000Z', 1],
    ['backup:often', '2026-03-02T11:00:00.000Z', 1],
    ['backup:often', '2026-03-02T12:00:00.000Z', 1],
  ]);
  const finished = await place.bodies('run.finished');
  expect(finished.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'done', 'done']);
  expect((await place.bodies('backup.finished')).map(({ source }) => source).sort()).toEqual([
    'nightly',
    'often',
    'often',
    'often',
  ]);
  expect((await place.bodies('run.missed')).length).toBe(0);

  const week = await coming(
    new Workspace(await loadPlan({ cwd: place.directory, env: {} }), place.environment),
    86_400_000,
  );
  expect(week.tasks.find(({ task }) => task === 'backup:often')).toMatchObject({
    last: { outcome: 'done' },
    next: '2026-03-02T13:00:00.000Z',
  });
  expect(week.runs.filter(({ task }) => task === 'backup:often')).toHaveLength(24);
  expect(week.runs.filter(({ task }) => task === 'backup:nightly').map(({ due }) => due)).toEqual([
    '2026-03-03T02:00:00.000Z',
  ]);
  const shown = await holdfast(place.directory, ['schedule', '--days', '2'], environment());
  expect(shown.stdout).toMatch(/backup:often +hourly +Mon 2026-03-02 12:00 done/);
  const listed = document(await holdfast(place.directory, ['schedule', '--json'], environment()));
  expect(listed.tasks.map(({ kind }: { kind: string }) => kind)).toContain('prune');
  expect((await holdfast(place.directory, ['schedule', '--days', '0'], environment())).exit).toBe(2);
});

it('puts the events of days that are over together each day, without a prune', async () => {
  // A Tuesday: a prune is weekly.
  const place = await DaemonPlace.with('2026-03-03T23:30:00Z', { files: 'daily at 02:00' });
  const daemon = await place.daemon();
  await place.run(daemon, '2026-03-04T04:30:00Z');
  await daemon.stop('over');
  expect(await place.bodies('prune.finished')).toEqual([]);
  expect(await place.bodies('ledger.folded')).toHaveLength(1);
  const days = readdirSync(join(place.directory, 'repository', 'holdfast', 'ledger', 'days'));
  expect(days).toEqual(['2026-03-03']);
  const finished = (await place.bodies('run.finished')).filter(({ task }) => task === 'retain:main');
  expect(finished.map(({ outcome }) => outcome)).toEqual(finished.map(() => 'done'));
});
