import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import {
  document,
  environment,
  holdfast,
  initialise,
  scratchDirectory,
  startHoldfast,
  writePlan,
} from '../support/cli.ts';
import { DaemonPlace } from '../support/daemon.ts';
import { requires } from '../support/requirements.ts';
import { resticCheck } from '../support/restic.ts';

/** How often the process is killed. More by hand: HOLDFAST_TEST_KILLS=100. */
const KILLS = Number(process.env['HOLDFAST_TEST_KILLS'] ?? 3);
/** A daemon has begun by the first, and is done with two sources by the second. */
const EARLIEST_MS = 400;
const LATEST_MS = 2200;
const NEW_SOURCES = 2;
const SIX_HOURS_MS = 6 * 3_600_000;

it('`serve` that is killed again and again forgets nothing and does nothing twice', {
  timeout: 120_000 + KILLS * 10_000,
}, async () => {
  const directory = scratchDirectory();
  const env = environment({ XDG_STATE_HOME: join(directory, 'state') });
  const sources: string[] = [];
  const addSources = (): void => {
    for (let index = 0; index < NEW_SOURCES; index++) {
      const name = `s${sources.length}`;
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, 'note'), name);
      sources.push(
        `  ${name}: { type: files, paths: [${directory}/${name}], schedule: yearly, objectives: { rpo: 2y } }`,
      );
    }
    writePlan(directory, sources.join('\n'));
  };
  addSources();
  await initialise(directory);
  for (let kill = 0; kill < KILLS; kill++) {
    if (kill > 0) addSources();
    const { child, done } = startHoldfast(directory, ['serve'], env);
    await sleep(EARLIEST_MS + Math.random() * (LATEST_MS - EARLIEST_MS));
    child.kill('SIGKILL');
    expect((await done).exit).toBe('SIGKILL');
  }
  // By a clock that passes: who died several times at a source waits for minutes before the next try.
  const place = new DaemonPlace(new Date().toISOString(), directory);
  const daemon = await place.daemon();
  await place.run(daemon, new Date(place.clock.nowMs() + SIX_HOURS_MS).toISOString());
  await daemon.stop('over');

  const started = (await place.bodies('run.started')).map(({ run }) => run);
  const ended = [...(await place.bodies('run.finished')), ...(await place.bodies('run.died'))].map(({ run }) => run);
  expect(ended.sort()).toEqual(started.sort());
  // One that was recorded before its run died is not taken again.
  const backups = (await place.bodies('backup.finished')).map(({ source }) => source);
  expect(backups.sort()).toEqual(sources.map((_, index) => `s${index}`).sort());
  const verified = await holdfast(directory, ['--json', 'ledger', 'verify'], env);
  expect([verified.exit, document(verified).repositories[0].state]).toEqual([0, 'consistent']);
  if (requires('restic')) resticCheck(join(directory, 'repository'));
});
