import { messageOf } from '../../foundation/errors.ts';
import {
  askErrorRate,
  askService,
  createStandbyLookout,
  openWatch,
  type RecoveryForecast,
  recoveryForecasts,
  type Samples,
  type StandbyLookout,
  sampleLog,
  sampleMirror,
  sampleRepository,
  type Watch,
} from '../../operations/index.ts';
import { hasLog, type PlannedStandby, type Service } from '../../plan/index.ts';
import type { Duty, DutyContext } from '../duty.ts';

/** So often what was seen is kept: a process that dies loses no more. */
const WRITE_EVERY_MS = 15_000;
const STANDBY_EVERY_MS = 60_000;
const LOG_EVERY_MS = 15 * 60_000;
/** A listing of stores each time, and what is needed of a year. */
const STORE_EVERY_MS = 3_600_000;
const DAY_MS = 24 * 3_600_000;
const FORECAST_EVERY_MS = DAY_MS;
/** After what failed. */
const AGAIN_MS = 5 * 60_000;

/** Who looks at what lives, and what they know. */
export interface Watching {
  duties: Duty[];
  /** What was seen of services and standbys; undefined before the first duty was done. */
  samples(): Samples | undefined;
  /** When RTOs will be missed, as of the last day. */
  forecasts(): readonly RecoveryForecast[];
}

/**
 * Watches the services and standbys of a plan, its mirrors, its logs and how full its repositories are, each by itself, so that
 * a slow one keeps no other waiting. Nothing is opened before the
 * first duty is done.
 */
export function watching(context: DutyContext): Watching {
  const { workspace, log } = context;
  const { plan } = workspace;
  let opening: Promise<Watch> | undefined;
  let opened: Watch | undefined;
  const watch: OpenedWatch = async () => {
    opening ??= openWatch(workspace, (message) => log.warn(message)).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    opened = await opening;
    return opened;
  };
  const write = (): void => {
    try {
      opened?.write(context.clock.nowMs());
    } catch (error) {
      // What is lost can be lost: it is of the last seconds.
      log.error('what was seen last could not be kept', { error: messageOf(error) });
    }
  };
  workspace.environment.signal.addEventListener('abort', write, { once: true });
  const watched = [
    ...[...plan.services.values()].flatMap((service) => serviceDuties(context, service, watch)),
    ...[...plan.standbys.values()].map((standby) => standbyDuty(context, standby, watch)),
    ...storeDuties(context, watch),
  ];
  let forecasts: readonly RecoveryForecast[] = [];
  const forecast = duty('forecast of recovery times', FORECAST_EVERY_MS, async () => {
    forecasts = await recoveryForecasts(workspace);
  });
  const isPromised = [...plan.sources.values()].some(({ objectives }) => objectives.rtoMs !== undefined);
  return {
    duties: [
      ...watched,
      ...(watched.length > 0 ? [keepDuty(context, watch, () => opened)] : []),
      ...(isPromised ? [forecast] : []),
    ],
    samples: () => opened?.samples(),
    forecasts: () => forecasts,
  };
}

/** Opens it when it is first asked for. @throws watch-failed */
type OpenedWatch = () => Promise<Watch>;

function serviceDuties({ workspace }: DutyContext, service: Service, watch: OpenedWatch): Duty[] {
  const { name, everyMs, errorRate } = service;
  const asked = duty(`service ${name}`, everyMs, async (_, signal) => {
    const known = await watch();
    known.add('service', name, await askService(service, workspace, signal));
  });
  if (errorRate === undefined) return [asked];
  const rated = duty(`error rate of ${name}`, everyMs, async (nowMs, signal) => {
    const share = await askErrorRate({ ...service, errorRate }, workspace, signal);
    (await watch()).addErrorRate(name, { timeMs: nowMs, share });
  });
  return [asked, rated];
}

function standbyDuty({ workspace }: DutyContext, standby: PlannedStandby, watch: OpenedWatch): Duty {
  let lookout: Promise<StandbyLookout> | undefined;
  return duty(`standby ${standby.name}`, STANDBY_EVERY_MS, async (_, signal) => {
    const known = await watch();
    lookout ??= createStandbyLookout(workspace, standby);
    known.add('standby', standby.name, await (await lookout).look(signal));
  });
}

function storeDuties({ workspace }: DutyContext, watch: OpenedWatch): Duty[] {
  const { sources, mirrors, repositories } = workspace.plan;
  const logs = [...sources.values()].filter(hasLog).map((source) =>
    duty(`log of ${source.name}`, LOG_EVERY_MS, async () => {
      const known = await watch();
      const sample = await sampleLog(workspace, source);
      const { rpoMs = Number.POSITIVE_INFINITY } = source.objectives;
      known.add('source', source.name, sample, sample.valueMs === undefined || sample.valueMs > rpoMs);
    }),
  );
  const behind = [...mirrors.values()].map((mirror) =>
    duty(`mirror ${mirror.name}`, STORE_EVERY_MS, async () => {
      const known = await watch();
      known.add('mirror', mirror.name, await sampleMirror(workspace, mirror));
    }),
  );
  const limited = [...repositories.values(), ...mirrors.values()].filter(({ capacity }) => capacity !== undefined);
  const full = limited.map(({ name }) =>
    duty(`capacity of ${name}`, STORE_EVERY_MS, async () => {
      const known = await watch();
      known.add('repository', name, await sampleRepository(workspace, name));
    }),
  );
  return [...logs, ...behind, ...full];
}

/** Brings to the store what came, and to the ledger each day that is over. */
function keepDuty({ record }: DutyContext, watch: OpenedWatch, opened: () => Watch | undefined): Duty {
  let begunMs = Number.NEGATIVE_INFINITY;
  return {
    name: 'samples',
    nextMs(nowMs) {
      if (begunMs > nowMs || begunMs === Number.NEGATIVE_INFINITY) return nowMs;
      const endOfDayMs = (Math.floor(begunMs / DAY_MS) + 1) * DAY_MS;
      return opened()?.isUnwritten ? Math.min(endOfDayMs, begunMs + WRITE_EVERY_MS) : endOfDayMs;
    },
    async run(nowMs) {
      begunMs = nowMs;
      const known = await watch();
      known.write(nowMs);
      await known.summarise(nowMs, (summary) => record.append('watch.summarised', summary));
    },
  };
}

/**
 * What is done every so often, counted from when it began; at once at first, and when the clock was set back. What failed is
 * done again before long, however seldom it is done: an alert about it would stand for as long.
 */
function duty(name: string, everyMs: number, run: Duty['run']): Duty {
  let begunMs = Number.NEGATIVE_INFINITY;
  let waitMs = everyMs;
  return {
    name,
    nextMs: (nowMs) => (begunMs > nowMs ? nowMs : begunMs + waitMs),
    async run(nowMs, signal) {
      begunMs = nowMs;
      waitMs = Math.min(everyMs, AGAIN_MS);
      await run(nowMs, signal);
      waitMs = everyMs;
    },
  };
}
