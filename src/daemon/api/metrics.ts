import { Counter, Gauge, Registry } from 'prom-client';
import type { Clock } from '../../foundation/clock.ts';
import type { Figures, PeriodFigures, PeriodsNow, SourceInPeriod, Workspace } from '../../operations/index.ts';
import { STORE_METHODS } from '../../store/index.ts';
import type { Gathered } from './latest.ts';

/** What metrics are made of at the moment that they are asked for. */
export interface Measured {
  /** What was gathered last; undefined as long as nothing was. */
  figures: Gathered<Figures> | undefined;
  /** What was kept by month and by quarter, as it was gathered last. */
  periods?: PeriodsNow | undefined;
  /** Whether the last attempt to gather them failed. */
  hasFailed: boolean;
  workspace: Workspace;
  isReady: boolean;
  /** Events that wait for the ledger. */
  unwritten: number;
}

type Labels = Record<string, string>;
type Values = Iterable<readonly [labels: Labels, value: number | undefined]>;

const SECOND_MS = 1000;

/** The metrics of `serve`, in a registry of their own. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #clock: Clock;
  readonly #sets: ((measured: Measured) => void)[] = [];

  constructor(version: string, clock: Clock) {
    this.#clock = clock;
    this.#addDaemon(version);
    this.#addSources();
    this.#addObjectives();
    this.#addPeriods();
    this.#addLedger();
    this.#addStores();
  }

  /** In Prometheus' text format. */
  async text(measured: Measured): Promise<{ type: string; body: string }> {
    for (const set of this.#sets) set(measured);
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  get names(): string[] {
    return this.#registry.getMetricsAsArray().map(({ name }) => name);
  }

  #addDaemon(version: string): void {
    this.#gauge('holdfast_up', 'The daemon runs; which version it is.', () => [[{ version }, 1]]);
    this.#gauge('holdfast_ready', 'The plan is loaded, the lease held and the repository in reach.', (measured) => [
      [{}, Number(measured.isReady)],
    ]);
    this.#gauge(
      'holdfast_figures_success',
      'Whether the last attempt to read the repositories succeeded.',
      (measured) => [[{}, Number(!measured.hasFailed)]],
    );
    this.#gauge('holdfast_figures_timestamp_seconds', 'When they were last read.', ({ figures }) => [
      [{}, figures && figures.atMs / SECOND_MS],
    ]);
    this.#gauge('process_resident_memory_bytes', 'Memory of the process.', () => [[{}, process.memoryUsage.rss()]]);
    this.#counter('process_cpu_seconds_total', 'Processor time of the process.', () => {
      const { user, system } = process.cpuUsage();
      return [[{}, (user + system) / 1e6]];
    });
  }

  #addSources(): void {
    this.#bySource('holdfast_snapshots', 'Snapshots of a source.', ({ snapshots }) => snapshots);
    this.#bySource('holdfast_last_backup_timestamp_seconds', 'The moment that the newest snapshot is of.', ({ last }) =>
      seconds(last?.time),
    );
    this.#bySource('holdfast_last_proof_timestamp_seconds', 'When the newest proven point was proven.', (source) => {
      const times = [source.proven?.provenAt, source.provenMoment?.provenAt].flatMap((time) => seconds(time) ?? []);
      return times.length === 0 ? undefined : Math.max(...times);
    });
    this.#counter('holdfast_stored_bytes_total', 'What backups of a source stored.', ({ figures }) =>
      [...(figures?.value.storedBytes ?? [])].map(([source, bytes]) => [{ source }, bytes]),
    );
    this.#gauge(
      'holdfast_mirror_lag_seconds',
      'For how long the oldest snapshot that a mirror lacks has been there.',
      ({ figures }) =>
        (figures?.value.status.mirrors ?? []).map(({ mirror, lag }) => [{ mirror }, lag && lag.lagMs / SECOND_MS]),
    );
    this.#gauge('holdfast_repository_used_bytes', 'What lies in a repository.', ({ figures }) =>
      (figures?.value.status.capacity ?? []).map(({ repository, usedBytes }) => [{ repository }, usedBytes]),
    );
    this.#gauge('holdfast_repository_capacity_bytes', 'What a repository may take.', ({ figures }) =>
      (figures?.value.status.capacity ?? []).map(({ repository, ofBytes }) => [{ repository }, ofBytes]),
    );
  }

  /** What is an age grows between two readings of the repositories as well. */
  #addObjectives(): void {
    const aged = (value: number | undefined, atMs: number): number | undefined =>
      value === undefined ? undefined : (value + this.#clock.nowMs() - atMs) / SECOND_MS;
    this.#bySource('holdfast_rpo_seconds', 'Age of the newest complete recovery point.', ({ actual }, atMs) =>
      aged(actual.rpoMs, atMs),
    );
    this.#bySource('holdfast_proven_rpo_seconds', 'Age of the newest proven recovery point.', ({ actual }, atMs) =>
      aged(actual.provenRpoMs, atMs),
    );
    this.#bySource('holdfast_rto_seconds', 'What the last proof took, restored and validated.', ({ actual }) =>
      inSeconds(actual.rtoMs),
    );
    this.#bySource('holdfast_rpo_objective_seconds', 'RPO as the plan promises it.', ({ objectives }) =>
      inSeconds(objectives.rpoMs),
    );
    this.#bySource('holdfast_rto_objective_seconds', 'RTO as the plan promises it.', ({ objectives }) =>
      inSeconds(objectives.rtoMs),
    );
    this.#bySource('holdfast_proof_objective_seconds', 'How old the newest proven point may be.', ({ objectives }) =>
      inSeconds(objectives.proofMs),
    );
  }

  /** Of this month and quarter so far, and of those before. */
  #addPeriods(): void {
    this.#byPeriod('holdfast_period_rpo_seconds', 'Oldest that the newest complete recovery point was.', ({ rpo }) =>
      inSeconds(rpo.maxMs),
    );
    this.#byPeriod('holdfast_period_proven_rpo_seconds', 'Oldest that the newest proven point was.', ({ proof }) =>
      inSeconds(proof.maxMs),
    );
    this.#byPeriod('holdfast_period_rto_seconds', 'What the longest proof took, restored and validated.', ({ rto }) =>
      inSeconds(rto.maxMs),
    );
    this.#gauge('holdfast_period_success_ratio', 'Share of backups, restores and proofs that succeeded.', (measured) =>
      periodsIn(measured).flatMap(([period, { sources }]) =>
        sources.flatMap(({ source, success }) =>
          Object.entries(success).map(([kind, { rate }]) => [{ source, kind, period }, rate] as const),
        ),
      ),
    );
    this.#gauge(
      'holdfast_period_mttr_seconds',
      'Mean time from an incident until people could work again.',
      (measured) =>
        periodsIn(measured).map(([period, { repairs }]) => [{ period }, inSeconds(repairs.recoveries.meanMs)]),
    );
  }

  #byPeriod(name: string, help: string, value: (source: SourceInPeriod) => number | undefined): void {
    this.#gauge(name, help, (measured) =>
      periodsIn(measured).flatMap(([period, { sources }]) =>
        sources.map((each) => [{ source: each.source, period }, value(each)] as const),
      ),
    );
  }

  #addLedger(): void {
    this.#counter('holdfast_runs_total', 'Runs of tasks that ended.', ({ figures }) =>
      [...(figures?.value.runs.values() ?? [])].map(({ kind, outcome, count }) => [{ kind, outcome }, count]),
    );
    this.#gauge('holdfast_alerts_open', 'Alerts that are not resolved.', ({ figures }) =>
      figures === undefined
        ? []
        : ['p1', 'p2', 'p3'].map((severity) => [{ severity }, figures.value.openAlerts.get(severity) ?? 0]),
    );
    this.#counter('holdfast_ledger_events_total', 'Events in the ledgers.', ({ figures }) => [
      [{}, figures?.value.events],
    ]);
    this.#gauge(
      'holdfast_ledger_unwritten_events',
      'Events that wait since the ledger cannot be reached.',
      (measured) => [[{}, measured.unwritten]],
    );
  }

  #addStores(): void {
    const each = ({ workspace }: Measured) => [...(workspace.environment.requests ?? [])];
    const byMethod = (count: 'calls' | 'failures') => (measured: Measured) =>
      each(measured).flatMap(([repository, { metrics }]) =>
        STORE_METHODS.map((method) => [{ repository, method }, metrics.methods[method][count]] as const),
      );
    const bytesOf = (method: 'put' | 'get') => (measured: Measured) =>
      each(measured).map(([repository, { metrics }]) => [{ repository }, metrics.methods[method].bytes] as const);
    this.#counter('holdfast_store_requests_total', 'Requests to distant stores.', byMethod('calls'));
    this.#counter('holdfast_store_request_failures_total', 'Those that failed.', byMethod('failures'));
    this.#counter('holdfast_store_sent_bytes_total', 'Sent to distant stores.', bytesOf('put'));
    this.#counter('holdfast_store_received_bytes_total', 'Received from distant stores.', bytesOf('get'));
  }

  #bySource(
    name: string,
    help: string,
    value: (source: Figures['status']['sources'][number], atMs: number) => number | undefined,
  ): void {
    this.#gauge(name, help, ({ figures }) =>
      (figures?.value.status.sources ?? []).map((source) => [{ source: source.source }, value(source, figures!.atMs)]),
    );
  }

  #gauge(name: string, help: string, values: (measured: Measured) => Values): void {
    const gauge = new Gauge({ name, help, registers: [this.#registry], labelNames: LABELS });
    this.#sets.push((measured) => {
      gauge.reset();
      for (const [labels, value] of given(values(measured))) gauge.set(labels, value);
    });
  }

  #counter(name: string, help: string, values: (measured: Measured) => Values): void {
    const counter = new Counter({ name, help, registers: [this.#registry], labelNames: LABELS });
    this.#sets.push((measured) => {
      counter.reset();
      for (const [labels, value] of given(values(measured))) counter.inc(labels, value);
    });
  }
}

const LABELS = ['source', 'kind', 'outcome', 'severity', 'repository', 'method', 'mirror', 'version', 'period'];

function periodsIn({ periods }: Measured): [period: string, figures: PeriodFigures][] {
  return Object.entries(periods ?? {});
}

function* given(values: Values): Generator<readonly [Labels, number]> {
  for (const [labels, value] of values) if (value !== undefined) yield [labels, value];
}

function seconds(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time) / SECOND_MS;
}

function inSeconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / SECOND_MS;
}
