import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { makeKit, Workspace } from '../../src/operations/index.ts';
import { makePassphrase } from '../../src/operations/kit/passphrase.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { DaemonPlace } from '../support/daemon.ts';

it('holds the drill of a rescue when it is due, from the newest kit, and is partial where nobody types its passphrase', async () => {
  const place = await DaemonPlace.with(
    '2026-05-01T06:30:00Z',
    { a: 'monthly', b: 'monthly' },
    'drills: [{ runbooks: "*", rescue: true, schedule: hourly }]',
  );
  // A made one is cheap to open by.
  const passphrase = makePassphrase();
  const { variables } = place.environment;
  const environment = { ...place.environment, variables: { ...variables, HOLDFAST_KIT_PASSPHRASE: passphrase } };
  const daemon = await place.daemon({ environment });
  await place.run(daemon, '2026-05-01T06:45:00Z');
  const loaded = await loadPlan({ cwd: place.directory, env: {} });
  const kit = await makeKit(new Workspace(loaded, environment), loaded, { passphrase });
  const before = readdirSync(tmpdir());
  await place.run(daemon, '2026-05-01T07:00:00Z');
  await daemon.stop('over');
  expect(readdirSync(tmpdir())).toEqual(before);
  const rescued = { outcome: 'complete', from: 'main' };
  expect(await place.bodies('rescue.finished')).toMatchObject([
    {
      ...{ task: 'drill:rescue-1', kit: kit.sha256, outcome: 'done' },
      sources: [
        { source: 'a', ...rescued },
        { source: 'b', ...rescued },
      ],
    },
  ]);
  const proofs = await place.bodies('proof.recorded');
  expect(proofs.map(({ source, state }) => `${source} ${state}`).sort()).toEqual(['a proven', 'b proven']);

  const alone = await place.daemon({ environment: place.environment });
  await place.run(alone, '2026-05-01T08:00:00Z');
  await alone.stop('over');
  const ended = (await place.bodies('run.finished')).filter(({ task }) => task === 'drill:rescue-1');
  expect(ended).toMatchObject([
    { outcome: 'done' },
    { outcome: 'partial', message: expect.stringContaining('kit.passphrase') },
  ]);
});
