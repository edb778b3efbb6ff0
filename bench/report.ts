/** What was measured, in words and tables. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LoadRound } from './load.ts';
import type { LostCommits } from './lost-commits.ts';
import type { Measurement } from './measure.ts';
import { median } from './median.ts';
import { renderStores, type StoresResults } from './stores-report.ts';

export interface ScenarioResult {
  name: string;
  title: string;
  atLeast: number;
  aim: number;
  /** The code that was measured. */
  commit: string;
  /** Where data and repositories lay on no disk. */
  isInMemory?: boolean;
  /** What each tool took, by its name. */
  rounds: Record<string, Measurement & { repositoryBytes: number }>[];
}

export interface Results {
  time: string;
  machine: {
    processors: number;
    model: string;
    memoryBytes: number;
    node: string;
    mebibytes: number;
    files: number;
  };
  tools: { name: string; version: string }[];
  scenarios: ScenarioResult[];
}

/** A scenario of PostgreSQL, beside the tool that is used for it. */
export interface PostgresScenario extends Omit<ScenarioResult, 'commit' | 'rounds'> {
  peer: string;
  rounds: Record<'holdfast' | 'other', Measurement & { storedBytes: number }>[];
}

export type UnderLoad = Record<'holdfast' | 'other', LoadRound>;

export interface PostgresResults {
  time: string;
  server: string;
  pgbackrest: string;
  clusterBytes: number;
  databaseBytes: number;
  lostCommits: LostCommits[] | undefined;
  underLoad: UnderLoad[] | undefined;
  scenarios: PostgresScenario[];
}

type Figure = 'wallMs' | 'cpuMs' | 'peakRssBytes' | 'repositoryBytes';

const PEER = 'restic';
const ROUNDS_AT_LEAST = 7;
/** What the goal of memory is meant for. */
const MIXED_AT_LEAST_MEBIBYTES = 1500;
const MEMORY_AT_MOST_BYTES = 192 * 2 ** 20;
const MEMORY_AIM_BYTES = 128 * 2 ** 20;
const INDEX_MEMORY_AT_MOST_BYTES = 400e6;
const INDEX_TIME_AT_MOST_MS = 10_000;
const SNAPSHOTS_TIME_AT_MOST_MS = 300;

function medianOf({ rounds }: ScenarioResult, tool: string, figure: Figure): number | undefined {
  const values = rounds.map((round) => round[tool]?.[figure]).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : median(values);
}

/** The median over the rounds of what the peer took for each unit that Holdfast took. */
function ratio({ rounds }: ScenarioResult, figure: Figure): number | undefined {
  const both = rounds.filter((round) => round[PEER] !== undefined && round['holdfast'] !== undefined);
  return both.length === 0 ? undefined : median(both.map((round) => round[PEER]![figure] / round['holdfast']![figure]));
}

/**
 * What was to be reached and was not, a line each: also what was not measured, or not as it is meant.
 * @param wanted every scenario that there is
 */
export function missedGoals(
  { scenarios, machine }: Results,
  wanted: readonly Pick<ScenarioResult, 'name' | 'title'>[],
): string[] {
  const missed = wanted
    .filter(({ name }) => !scenarios.some((scenario) => scenario.name === name))
    .map(({ title }) => `${title}: not measured`);
  if (machine.mebibytes < MIXED_AT_LEAST_MEBIBYTES) {
    missed.push(`the mixed data: ${machine.mebibytes} MiB, not ${MIXED_AT_LEAST_MEBIBYTES} MiB`);
  }
  for (const scenario of scenarios) {
    const reached = ratio(scenario, 'wallMs');
    const { title, rounds } = scenario;
    if (rounds.length < ROUNDS_AT_LEAST) missed.push(`${title}: ${rounds.length} rounds, not ${ROUNDS_AT_LEAST}`);
    if (reached === undefined) missed.push(`${title}: ${PEER} is not installed, so there is no ratio`);
    else if (reached < scenario.atLeast) missed.push(`${title}: ${reached.toFixed(2)}×, not ${scenario.atLeast}×`);
  }
  missed.push(...missedByIndex(scenarios.find(({ name }) => name === 'index')));
  missed.push(...missedBySnapshots(scenarios.find(({ name }) => name === 'snapshots')));
  const first = scenarios.find(({ name }) => name === 'first-backup');
  if (first === undefined) return missed;
  const memory = medianOf(first, 'holdfast', 'peakRssBytes')!;
  if (memory > MEMORY_AT_MOST_BYTES) missed.push(`memory of the first backup: ${mebibytes(memory)}, not 192 MiB`);
  const smaller = ratio(first, 'repositoryBytes');
  if (smaller !== undefined && smaller < 1)
    missed.push(`the repository is ${(1 / smaller).toFixed(3)}× as large as ${PEER}'s`);
  return missed;
}

function missedByIndex(scenario: ScenarioResult | undefined): string[] {
  if (scenario === undefined) return [];
  const memory = medianOf(scenario, 'holdfast', 'peakRssBytes')!;
  const timeMs = medianOf(scenario, 'holdfast', 'wallMs')!;
  return [
    ...(memory > INDEX_MEMORY_AT_MOST_BYTES ? [`memory of five million blobs: ${mebibytes(memory)}, not 381 MiB`] : []),
    ...(timeMs > INDEX_TIME_AT_MOST_MS ? [`loading five million blobs: ${seconds(timeMs)}, not 10 s`] : []),
  ];
}

function missedBySnapshots(scenario: ScenarioResult | undefined): string[] {
  const timeMs = scenario === undefined ? 0 : medianOf(scenario, 'holdfast', 'wallMs')!;
  return timeMs > SNAPSHOTS_TIME_AT_MOST_MS ? [`listing snapshots: ${seconds(timeMs)}, not 0.3 s`] : [];
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Writes RESULTS.md, from the last results of everything. */
export function writeReport(): void {
  const read = (name: string): unknown =>
    existsSync(here(name)) ? JSON.parse(readFileSync(here(name), 'utf8')) : undefined;
  const [results, postgres] = [read('results.json') as Results, read('postgres.json') as PostgresResults | undefined];
  const stores = read('stores.json') as StoresResults | undefined;
  const parts = [
    render(results),
    postgres === undefined ? '' : renderPostgres(postgres),
    stores === undefined ? '' : renderStores(stores),
    readFileSync(here('ledger-results.md'), 'utf8'),
    readFileSync(here('drill-results.md'), 'utf8'),
    readFileSync(here('redis-results.md'), 'utf8'),
  ];
  writeFileSync(here('RESULTS.md'), parts.join(''));
}

function renderPostgres(results: PostgresResults): string {
  const {
    time,
    server,
    pgbackrest,
    clusterBytes,
    databaseBytes,
    lostCommits = [],
    underLoad = [],
    scenarios,
  } = results;
  return `
## PostgreSQL

Last measured ${time.slice(0, 10)}, some rows earlier, on the same machine, with ${server} and ${pgbackrest}: a cluster of ${mebibytes(clusterBytes)} of orders with two indexes, with page checksums; the single database has ${mebibytes(databaseBytes)}. pgBackRest with two processes, zstd 3, encrypted and bundled, as Holdfast compresses and encrypts; what is compared with \`pg_dump\` is compressed less there, and not encrypted. Run it again with \`npm run bench:postgres\`.

| | beside | rounds | time | at least | aim | processor time | stored |
|---|---|---|---|---|---|---|---|
${scenarios.map(postgresRow).join('\n')}

Peak memory of Holdfast in all of these: ${mebibytes(Math.max(...scenarios.flatMap(({ rounds }) => rounds.map(({ holdfast }) => holdfast.peakRssBytes))))} (at most 256 MiB).

A physical restore is bound by the processors: of its 7.1 s, zstd takes 2.2 s, SHA-256 1.0 s, writing 0.8 s, starting and planning by one thread alone 0.7 s. What helped (0.79× before): chunks that follow each other stored together and written in one go (33,000 writes → 6,000; after five backups of changes 24,000), files synced beside the threads that write, which waited for the disk a fifth of the time, and threads that start while files are made. From one full backup, four alternating pairs by hand had 1.04×. What did not: packs in the order of files, four files synced at once instead of two, no optimising compiler, more memory for young objects.

The primary killed under pgbench and its directory removed, then restored to the end of the log; from the last commit that came back until the kill, of each round (at most 10 s as usual, aim 1 s):

${lostCommits.map(lostLine).join('\n')}

The load of pgbench (4 clients) during a backup of the whole cluster on the server's machine, beside \`pg_basebackup\` with \`client-zstd:3\`; of the transactions a second just before, the median of what was left: **${share(underLoad, 'holdfast')}** with Holdfast, ${share(underLoad, 'other')} with \`pg_basebackup\`.

| | holdfast | pg_basebackup |
|---|---|---|
${underLoad.map(({ holdfast, other }, index) => `| ${index + 1} | ${loadCell(holdfast)} | ${loadCell(other)} |`).join('\n')}

${scenarios.map(postgresDetails).join('\n\n')}
`;
}

function share(rounds: readonly UnderLoad[], tool: keyof UnderLoad): string {
  if (rounds.length === 0) return 'not measured';
  return `${Math.round(100 * median(rounds.map((round) => round[tool].duringTps / round[tool].beforeTps)))} %`;
}

function loadCell({ beforeTps, duringTps, backupMs }: LoadRound): string {
  return `${Math.round(beforeTps)} before, ${Math.round(duringTps)} during ${seconds(backupMs)}`;
}

function lostLine({ every, lostMs, commits }: LostCommits): string {
  return `- \`follow\` ${every === 'as usual' ? 'as usual, every 5 s' : `with \`--every ${every}\``}: ${lostMs.map((ms) => `${ms} ms`).join(', ')}; ${commits.toLocaleString('en')} commits were made`;
}

function postgresRow({ title, peer, rounds, atLeast, aim }: PostgresScenario): string {
  const shown = (figure: 'wallMs' | 'cpuMs' | 'storedBytes'): string => {
    const ratios = rounds.map(({ holdfast, other }) => other[figure] / holdfast[figure]);
    return ratios.some((value) => !Number.isFinite(value) || value <= 0) ? '-' : `${median(ratios).toFixed(2)}×`;
  };
  return `| ${title.replaceAll('|', '\\|')} | ${peer.replaceAll('|', '\\|')} | ${rounds.length} | **${shown('wallMs')}** | ${atLeast}× | ${aim}× | ${shown('cpuMs')} | ${shown('storedBytes')} |`;
}

function postgresDetails({ title, peer, rounds }: PostgresScenario): string {
  const cell = ({ wallMs, cpuMs, peakRssBytes, storedBytes }: Measurement & { storedBytes: number }): string =>
    `${seconds(wallMs)}, ${seconds(cpuMs)} CPU, ${mebibytes(peakRssBytes)}${storedBytes === 0 ? '' : `, ${mebibytes(storedBytes)} stored`}`;
  const lines = rounds.map(({ holdfast, other }, index) => `| ${index + 1} | ${cell(holdfast)} | ${cell(other)} |`);
  return `### ${title}\n\n| | holdfast | ${peer.replaceAll('|', '\\|')} |\n|---|---|---|\n${lines.join('\n')}`;
}

function render(results: Results): string {
  const { machine, tools, scenarios } = results;
  return `# Benchmarks

Measured ${results.time.slice(0, 10)} on ${machine.processors} × ${machine.model}, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB, Node ${machine.node.slice(1)}: ${tools.map(({ name, version }) => `${name} ${version}`).join(', ')}. Whole processes, page cache warm, \`sync\` before each; the tools take turns, and the one that begins changes from round to round. The mixed data is ${machine.mebibytes} MiB of table text, database pages, incompressible bytes and small files; the tree has ${machine.files.toLocaleString('en')} files. Run it again with \`npm run bench\`.

A ratio is the median over the rounds of ${PEER}'s figure divided by Holdfast's: above 1, Holdfast is faster or smaller.

| | rounds | time | at least | aim | processor time | peak memory | repository |
|---|---|---|---|---|---|---|---|
${scenarios.map(summaryRow).join('\n')}

Peak memory of Holdfast's first backup: ${memoryLine(scenarios)}

The medians behind the ratios:

| | ${tools.map(({ name }) => name).join(' | ')} |
|---|${tools.map(() => '---|').join('')}
${scenarios.map((scenario) => `| ${scenario.title} | ${tools.map(({ name }) => medians(scenario, name)).join(' | ')} |`).join('\n')}

## Every round

${scenarios.map((scenario) => details(scenario, tools)).join('\n\n')}
`;
}

function summaryRow(scenario: ScenarioResult): string {
  const shown = (figure: Figure): string => shownRatio(scenario, figure);
  return `| ${scenario.title} | ${scenario.rounds.length} | **${shown('wallMs')}** | ${scenario.atLeast}× | ${scenario.aim}× | ${shown('cpuMs')} | ${shown('peakRssBytes')} | ${shown('repositoryBytes')} |`;
}

const FIGURES = ['wallMs', 'cpuMs', 'peakRssBytes', 'repositoryBytes'] as const satisfies Figure[];

/** A tool's medians of all figures; `-` where it was not measured. */
function medians(scenario: ScenarioResult, tool: string): string {
  const [wallMs, cpuMs, peakRssBytes, repositoryBytes] = FIGURES.map((figure) => medianOf(scenario, tool, figure));
  if (wallMs === undefined) return '-';
  return figuresText({ wallMs, cpuMs: cpuMs!, peakRssBytes: peakRssBytes!, repositoryBytes: repositoryBytes! });
}

function figuresText({ wallMs, cpuMs, peakRssBytes, repositoryBytes }: Record<Figure, number>): string {
  return `${seconds(wallMs)}, ${seconds(cpuMs)} CPU, ${mebibytes(peakRssBytes)}, ${mebibytes(repositoryBytes)} stored`;
}

/** Medians and ratios of each scenario for a terminal, a line each. */
export function summaryLines({ scenarios, tools }: Results): string[] {
  return scenarios.map((scenario) => {
    const of = tools.map(({ name }) => `${name} ${medians(scenario, name)}`).join('; ');
    const [time, processor, memory, stored] = FIGURES.map((figure) => shownRatio(scenario, figure));
    return `${scenario.title}: ${of}; ${PEER} / holdfast: ${time} time, ${processor} CPU, ${memory} memory, ${stored} repository`;
  });
}

function shownRatio(scenario: ScenarioResult, figure: Figure): string {
  const value = ratio(scenario, figure);
  return value === undefined ? '-' : `${value.toFixed(2)}×`;
}

function memoryLine(scenarios: ScenarioResult[]): string {
  const first = scenarios.find(({ name }) => name === 'first-backup');
  const memory = first && medianOf(first, 'holdfast', 'peakRssBytes');
  if (memory === undefined) return 'not measured.';
  return `${mebibytes(memory)} (at most ${mebibytes(MEMORY_AT_MOST_BYTES)}, aim ${mebibytes(MEMORY_AIM_BYTES)}).`;
}

function details({ title, commit, isInMemory, rounds }: ScenarioResult, tools: Results['tools']): string {
  const names = tools.map(({ name }) => name).filter((name) => rounds.some((round) => round[name] !== undefined));
  const cell = (measured: ScenarioResult['rounds'][number][string] | undefined): string =>
    measured === undefined ? '-' : figuresText(measured);
  const lines = rounds.map(
    (round, index) => `| ${index + 1} | ${names.map((name) => cell(round[name])).join(' | ')} |`,
  );
  return `### ${title}\n\nAt commit ${commit.slice(0, 12)}${isInMemory === true ? ', data and repositories in memory (tmpfs)' : ''}.\n\n| | ${names.join(' | ')} |\n|---|${names.map(() => '---|').join('')}\n${lines.join('\n')}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
