import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from '../../src/daemon/daemon.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import type { LedgerEvent } from '../../src/ledger/index.ts';
import { adapters } from '../../src/main/adapters.ts';
import { type Environment, initRepositories, Workspace } from '../../src/operations/index.ts';
import { type LoadedPlan, loadPlan } from '../../src/plan/index.ts';
import type { Scenario } from './scenario.ts';
import { DAY_MS, MINUTE_MS, type World } from './world.ts';

const STEP_MS = 30 * MINUTE_MS;
/** What a tick sets off may have more to do at the same moment: a run that ended is looked at, an alert is told. */
const MOST_TICKS_A_STEP = 20;

const QUIET = { info() {}, warn() {}, error() {} };

/** What a simulated plan has left behind. */
export interface Simulated {
  workspace: Workspace;
  /** Of the first repository's ledger, oldest first. */
  events: LedgerEvent[];
  fromMs: number;
  untilMs: number;
  /** When the daemon was away. */
  away: readonly { fromMs: number; untilMs: number }[];
}

export interface SimulationOptions {
  startMs: number;
  days: number;
  /** On which day, from 0, the daemon is away for a whole one. */
  awayOnDay?: number;
  told?(line: string): void;
}

/** Runs a plan by its daemon through simulated days, with all that goes wrong in them. */
export async function simulate(scenario: Scenario, world: World, options: SimulationOptions): Promise<Simulated> {
  const { startMs, days, awayOnDay, told = () => {} } = options;
  const path = join(world.directory, `${scenario.name}.yaml`);
  writeFileSync(path, scenario.plan);
  const loaded = await loadPlan({ path, cwd: world.directory, env: world.variables });
  const environment = environmentOf(world);
  await scenario.live(startMs);
  await initRepositories(new Workspace(loaded, environment));
  const untilMs = startMs + days * DAY_MS;
  const away =
    awayOnDay === undefined
      ? []
      : [{ fromMs: startMs + awayOnDay * DAY_MS, untilMs: startMs + (awayOnDay + 1) * DAY_MS }];
  let daemon: Daemon | undefined = await started(loaded, environment);
  for (let nowMs = startMs; nowMs < untilMs; nowMs += STEP_MS) {
    world.clock.moveTo(nowMs);
    await scenario.live(nowMs);
    for (const failure of scenario.failures) {
      if (failure.fromMs === nowMs) await failure.begin();
      if (failure.untilMs === nowMs) await failure.end(new Workspace(loaded, environment));
    }
    const isAway = away.some((each) => each.fromMs <= nowMs && nowMs < each.untilMs);
    if (isAway && daemon !== undefined) {
      await daemon.stop('the machine is switched off');
      daemon = undefined;
    }
    if (!isAway) {
      daemon ??= await started(loaded, environment);
      await step(daemon, nowMs);
    }
    world.listen();
    if (nowMs % (10 * DAY_MS) === 0) told(`${scenario.name}: ${new Date(nowMs).toISOString().slice(0, 10)}`);
  }
  await daemon?.stop('the simulation is over');
  const workspace = new Workspace(loaded, environment);
  const events = await (await workspace.open('primary')).ledger.read();
  return { workspace, events, fromMs: startMs, untilMs, away };
}

function environmentOf(world: World): Environment {
  const signal = new AbortController().signal;
  return {
    clock: world.clock,
    variables: world.variables,
    version: '0.0.0',
    signal,
    progress: () => noProgress,
    adapters,
  };
}

async function started(loaded: LoadedPlan, environment: Environment): Promise<Daemon> {
  const daemon = await Daemon.open({ environment, loaded, log: QUIET, isLoaded: () => false });
  await daemon.start();
  return daemon;
}

/** All that is due at a moment, with what comes of it. */
async function step(daemon: Daemon, nowMs: number): Promise<void> {
  for (let tick = 0; tick < MOST_TICKS_A_STEP; tick++) {
    await daemon.tick();
    await daemon.idle();
    if (daemon.nextMs() > nowMs) return;
  }
}
