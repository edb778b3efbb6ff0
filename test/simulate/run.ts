import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from '../../src/daemon/daemon.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import type { LedgerEvent } from '../../src/ledger/index.ts';
import { adapters } from '../../src/main/adapters.ts';
import { type Environment, initRepositories, makeKit, Workspace } from '../../src/operations/index.ts';
import { type LoadedPlan, loadPlan } from '../../src/plan/index.ts';
import { changePassword } from '../../src/repository/keys.ts';
import type { Costs } from './costs.ts';
import { Inspection } from './inspection.ts';
import { dueMoments, WallClock } from './oracle.ts';
import { People } from './people.ts';
import type { Scenario } from './scenario.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, type World } from './world.ts';

const STEP_MS = 30 * MINUTE_MS;
/** What a tick sets off may have more to do at the same moment: a run that ended is looked at, an alert is told. */
const MOST_TICKS_A_STEP = 20;
const REPORTED_EVERY_DAYS = 10;

export interface Span {
  fromMs: number;
  untilMs: number;
}

/** What a simulated plan has left behind. */
export interface Simulated extends Span {
  workspace: Workspace;
  clock: WallClock;
  /** Of the ledgers of all repositories, by name, oldest first. */
  events: Readonly<Record<string, readonly LedgerEvent[]>>;
  /** Of all of them: what is about the plan goes to the first that can be had. */
  all: readonly LedgerEvent[];
  /** When the daemon was away. */
  away: readonly Span[];
  inspection: Inspection;
  /** Every moment at which the daemon could do something. */
  steps: readonly number[];
}

export interface SimulationOptions {
  startMs: number;
  days: number;
  /** On which days, from 0, the daemon is away for a whole one. */
  awayOnDays: readonly number[];
  told(line: string): void;
  /** Once it is aborted no further day begins: what was simulated until then is what there is. */
  signal: AbortSignal;
  /** Measures what the daemon does, and is told with the rest. */
  costs?: Costs;
}

/** One that was made: it costs little to try. */
const KIT_PASSPHRASE = 'legal-winner-thank-year-wave-sausage-worth-useful-legal-winner-thank-yellow';

/** Runs a plan by its daemon through simulated days, with all that goes wrong in them. */
export async function simulate(scenario: Scenario, world: World, options: SimulationOptions): Promise<Simulated> {
  const { startMs, days, awayOnDays, costs } = options;
  const path = join(world.directory, `${scenario.name}.yaml`);
  writeFileSync(path, scenario.plan);
  const loaded = await loadPlan({ path, cwd: world.directory, env: world.variables });
  const environment = environmentOf(world);
  const workspace = (): Workspace => new Workspace(loaded, environment);
  await scenario.live(startMs);
  await initRepositories(workspace());
  for (const [name, { password }] of Object.entries(scenario.repositories)) {
    const { repository } = await workspace().open(name);
    // A key that opens at once, as tests have it.
    await changePassword(repository, password, world.clock, { kdf: { N: 2, r: 1, p: 1 } });
  }
  const makeKits = (): Promise<unknown> => makeKit(workspace(), loaded, { passphrase: KIT_PASSPHRASE });
  await makeKits();
  const untilMs = startMs + days * DAY_MS;
  const away = awayOnDays
    .map((day) => ({ fromMs: startMs + day * DAY_MS, untilMs: startMs + (day + 1) * DAY_MS }))
    .filter((each) => each.untilMs < untilMs);
  const clock = new WallClock(scenario.timezone);
  const people = new People(scenario, world, { fromMs: startMs, untilMs, clock, workspace, makeKits });
  const inspection = new Inspection(scenario, clock);
  const report = reporter(scenario, options);
  const start = (): Promise<Daemon> => started(loaded, environment, world, costs);
  const steps: number[] = [];
  let daemon: Daemon | undefined = await start();
  let nowMs = startMs;
  for (; nowMs < untilMs && !(nowMs % DAY_MS === 0 && options.signal.aborted); nowMs = nextStep(nowMs, people)) {
    world.clock.moveTo(nowMs);
    if (nowMs % STEP_MS === 0) await scenario.live(nowMs);
    await people.act(nowMs);
    const isAway = away.some((each) => each.fromMs <= nowMs && nowMs < each.untilMs);
    if (isAway && daemon !== undefined) {
      await daemon.stop('the machine is switched off');
      daemon = undefined;
    }
    if (!isAway) {
      daemon ??= await start();
      if (isEventful(scenario, clock, nowMs)) {
        await step(daemon, nowMs);
        steps.push(nowMs);
      }
    }
    world.listen();
    people.notice(nowMs);
    inspection.look(nowMs);
    report(nowMs);
  }
  await daemon?.stop('the simulation is over');
  inspection.sample(nowMs);
  const end = workspace();
  const events: Record<string, LedgerEvent[]> = {};
  for (const name of Object.keys(scenario.repositories)) events[name] = await (await end.open(name)).ledger.read();
  const all = Object.values(events).flat();
  return {
    workspace: end,
    clock,
    events,
    all: all.sort((one, other) => Date.parse(one.time) - Date.parse(other.time)),
    fromMs: startMs,
    untilMs: nowMs,
    away: away.filter((each) => each.untilMs < nowMs),
    inspection,
    steps,
  };
}

function nextStep(nowMs: number, people: People): number {
  return Math.min((Math.floor(nowMs / STEP_MS) + 1) * STEP_MS, people.nextMs);
}

/** In a half hour of which nothing is due or wrong a daemon would find what it finds at the full one. */
function isEventful({ tasks, failures }: Scenario, clock: WallClock, nowMs: number): boolean {
  if (nowMs % HOUR_MS !== HOUR_MS / 2) return true;
  const isWrong = failures.some(({ fromMs, untilMs }) => fromMs <= nowMs && nowMs < untilMs + DAY_MS);
  return isWrong || Object.values(tasks).some((moments) => dueMoments(moments, nowMs, nowMs + 1, clock).length > 0);
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
    stateDirectory: join(world.directory, 'state'),
    cacheDirectory: world.cacheDirectory,
  };
}

async function started(
  loaded: LoadedPlan,
  environment: Environment,
  { log }: World,
  costs: Costs | undefined,
): Promise<Daemon> {
  const measured = costs && { atOnce: 1, duties: costs.duties, work: costs.work };
  const daemon = await Daemon.open({ environment, loaded, log, isLoaded: () => false, ...measured });
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

/** Says how far it is, what the last days took, and the memory: what grows with a year is seen by that. */
function reporter({ name }: Scenario, { startMs, told, costs }: SimulationOptions): (nowMs: number) => void {
  let [begunMs, usedBefore] = [performance.now(), process.cpuUsage()];
  return (nowMs) => {
    if (nowMs === startMs || (nowMs - startMs) % (REPORTED_EVERY_DAYS * DAY_MS) !== 0) return;
    const seconds = ((performance.now() - begunMs) / 1000).toFixed(1);
    const { user, system } = process.cpuUsage(usedBefore);
    const used = ((user + system) / 1e6).toFixed(1);
    [begunMs, usedBefore] = [performance.now(), process.cpuUsage()];
    const megabytes = Math.round(process.memoryUsage().rss / 1e6);
    const day = new Date(nowMs).toISOString().slice(0, 10);
    told(
      `${name}: ${day}: the last ${REPORTED_EVERY_DAYS} days in ${seconds} s, ${used} s of the processor, ${megabytes} MB`,
    );
    for (const line of costs?.take() ?? []) told(`  ${line}`);
  };
}
