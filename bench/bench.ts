/**
 * `npm run bench`: Holdfast beside whatever of restic and rustic is installed, each whole process measured, in alternating
 * order, so that what else the machine does falls on all alike. Writes results.json and RESULTS.md beside itself.
 *
 *   --pairs N        rounds of each scenario (7)
 *   --only NAME,…    these scenarios, kept beside the others' last results
 *   --mebibytes N    of mixed data (1500), --files N of the tree (100000)
 *   --check          measure nothing: hold the last results against what is to be reached
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { commitNow } from './commit.ts';
import { type Measurement, measure } from './measure.ts';
import { missedGoals, type Results, type ScenarioResult, summaryLines, writeReport } from './report.ts';
import { makeData, RESTORED, SCENARIOS, type Scenario } from './scenarios.ts';
import { environment, installedTools, type Place, remove, type Tool } from './tools.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const RESULTS = here('results.json');
/** Linux's linux/magic.h */
const TMPFS = 0x01021994;

const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '7' },
    only: { type: 'string' },
    mebibytes: { type: 'string', default: '1500' },
    files: { type: 'string', default: '100000' },
    directory: { type: 'string', default: join(tmpdir(), 'holdfast-bench') },
    check: { type: 'boolean', default: false },
  },
});

function main(): void {
  if (!options.check) writeResults(measureAll());
  for (const line of summaryLines(lastResults())) console.log(line);
  const missed = missedGoals(lastResults(), SCENARIOS);
  for (const line of missed) console.log(`missed: ${line}`);
  if (missed.length === 0) console.log('everything is reached');
  else if (options.check) process.exitCode = 1;
}

function lastResults(): Results {
  if (!existsSync(RESULTS)) throw new Error('there are no results yet; run `npm run bench` first');
  return JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;
}

function writeResults(results: Results): void {
  writeFileSync(RESULTS, `${JSON.stringify(results, null, 1)}\n`);
  writeReport();
}

function measureAll(): Results {
  const only = options.only?.split(',');
  const chosen = SCENARIOS.filter(({ name }) => only === undefined || only.includes(name));
  const kept = only !== undefined && existsSync(RESULTS) ? lastResults().scenarios : [];
  const scenarios = new Map(kept.map((result) => [result.name, result]));
  let tools: Results['tools'] = [];
  for (const scenario of chosen) remove(placeOf(scenario), RESTORED);
  for (const scenario of chosen) {
    const place = placeOf(scenario);
    const installed = installedTools(place);
    tools = installed.map(({ name, version }) => ({ name, version }));
    scenarios.set(scenario.name, measureScenario(scenario, place, installed));
  }
  const inOrder = SCENARIOS.map(({ name }) => scenarios.get(name)).filter((result) => result !== undefined);
  return { ...machine(), tools, scenarios: inOrder };
}

function placeOf({ data }: Scenario): Place {
  const directory = join(options.directory, data);
  mkdirSync(directory, { recursive: true });
  return { directory, data: join(directory, 'data') };
}

function measureScenario(scenario: Scenario, place: Place, tools: Tool[]): ScenarioResult {
  makeData(place, scenario.data, { mebibytes: Number(options.mebibytes), files: Number(options.files) });
  for (const tool of tools) scenario.prepare?.(tool, place);
  const rounds: ScenarioResult['rounds'] = [];
  for (let round = 0; round < Number(options.pairs); round++) {
    scenario.round?.(place, round);
    const measured: Record<string, Measurement & { repositoryBytes: number }> = {};
    const order = round % 2 === 0 ? tools : tools.toReversed();
    for (const tool of order) measured[tool.name] = measureTurn(scenario, tool, place, round);
    rounds.push(measured);
    console.log(`${scenario.name} ${round + 1}: ${tools.map(({ name }) => shown(name, measured[name]!)).join('  ')}`);
  }
  const { name, title, atLeast, aim } = scenario;
  const isInMemory = statfsSync(options.directory).type === TMPFS;
  return { name, title, atLeast, aim, commit: commitNow(), isInMemory, rounds };
}

function measureTurn(scenario: Scenario, tool: Tool, place: Place, round: number) {
  const command = scenario.turn(tool, place, round);
  // What the turn before left to be written is not this one's to pay for.
  spawnSync('sync');
  const measured = measure(command, { cwd: place.directory, env: environment(place) });
  return { ...measured, repositoryBytes: sizeOf(join(place.directory, tool.repository)) };
}

function shown(name: string, { wallMs, cpuMs, peakRssBytes }: Measurement): string {
  return `${name} ${(wallMs / 1000).toFixed(2)} s, ${(cpuMs / 1000).toFixed(2)} s CPU, ${Math.round(peakRssBytes / 2 ** 20)} MiB`;
}

function sizeOf(directory: string): number {
  const { stdout } = spawnSync('du', ['--summarize', '--bytes', directory], { encoding: 'utf8' });
  return Number.parseInt(stdout, 10);
}

function machine(): Pick<Results, 'time' | 'machine'> {
  return {
    time: new Date().toISOString(),
    machine: {
      processors: cpus().length,
      model: cpus()[0]?.model ?? 'unknown',
      memoryBytes: totalmem(),
      node: process.version,
      mebibytes: Number(options.mebibytes),
      files: Number(options.files),
    },
  };
}

main();
