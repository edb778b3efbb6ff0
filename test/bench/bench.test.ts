import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { edit, writeMixed } from '../../bench/data.ts';
import { missedGoals, type Results, summaryLines } from '../../bench/report.ts';
import { SCENARIOS } from '../../bench/scenarios.ts';

/** One digest of all files below a directory, by their names. */
function digestOf(directory: string): string {
  const digest = createHash('sha256');
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(directory, name);
    if (statSync(path).isFile()) digest.update(`${name}\n`).update(readFileSync(path));
  }
  return digest.digest('hex');
}

describe('the data of the benchmarks', () => {
  it('has the same bytes on every machine and in every run, edits too', () => {
    const digests = [1, 2].map(() => {
      const directory = join(mkdtempSync(join(tmpdir(), 'bench-')), 'data');
      mkdirSync(directory);
      writeMixed(directory, 2);
      const fresh = digestOf(directory);
      edit(directory, 1);
      return [fresh, digestOf(directory)];
    });
    const known = [
      'e9369d4671d41299df27b5a9fc19ea926def93994df768c23b7c0db4362fa2e9',
      '297c780da290501005957d4a95d0a61c54dbb5cb38cb9173925cb19e13d88d43',
    ];
    expect(digests).toEqual([known, known]);
  });
});

const GOOD = { wallMs: 250, cpuMs: 1000, peakRssBytes: 100 * 2 ** 20, repositoryBytes: 2 ** 30 };
const PEER = { wallMs: 1000, cpuMs: 3000, peakRssBytes: 50 * 2 ** 20, repositoryBytes: 2 ** 30 };

/** Seven rounds of every scenario that reach everything, but for what is changed. */
function results(change: (results: Results) => unknown = () => {}): Results {
  const rounds = () => Array.from({ length: 7 }, () => ({ holdfast: { ...GOOD }, restic: { ...PEER } }));
  const made: Results = {
    time: '2026-01-01T00:00:00Z',
    machine: { processors: 2, model: 'one', memoryBytes: 2 ** 34, node: 'v24.0.0', mebibytes: 1500, files: 100_000 },
    tools: [
      { name: 'holdfast', version: '0.1.0' },
      { name: 'restic', version: '0.14.0' },
    ],
    scenarios: SCENARIOS.map(({ name, title, atLeast, aim }) => ({
      ...{ name, title, atLeast, aim },
      commit: 'c',
      rounds: rounds(),
    })),
  };
  change(made);
  return made;
}

function scenario({ scenarios }: Results, name: string): Results['scenarios'][number] {
  return scenarios.find((each) => each.name === name)!;
}

describe('what is to be reached', () => {
  it('is reached where every scenario reaches it', () => {
    expect(missedGoals(results(), SCENARIOS)).toEqual([]);
  });

  it.each<[string, (made: Results) => unknown, RegExp]>([
    ['a scenario that is too slow', (made) => slowed(scenario(made, 'restore')), /^restore: 1\.00×, not 1\.6×$/],
    ['one that is not there', (made) => made.scenarios.shift(), /^first backup: not measured$/],
    ['too few rounds', (made) => scenario(made, 'check').rounds.pop(), /^`check --read-data`: 6 rounds, not 7$/],
    ['no restic', (made) => alone(scenario(made, 'prune')), /^prune: restic is not installed/],
    [
      'too much memory',
      (made) => enlarged(made, 'peakRssBytes', 2),
      /^memory of the first backup: 200 MiB, not 192 MiB$/,
    ],
    ['a repository that is larger', (made) => enlarged(made, 'repositoryBytes', 1.01), /^the repository is 1\.010×/],
    [
      'too little data',
      ({ machine }) => Object.assign(machine, { mebibytes: 100 }),
      /^the mixed data: 100 MiB, not 1500 MiB$/,
    ],
  ])('is missed by %s', (_, change, message) => {
    expect(missedGoals(results(change), SCENARIOS)).toEqual([expect.stringMatching(message)]);
  });

  it('is shown with the medians of each tool, and ratios of time, processor time, memory and size', () => {
    const [line] = summaryLines(results());
    expect(line).toBe(
      'first backup: holdfast 0.25 s, 1.00 s CPU, 100 MiB, 1024 MiB stored; restic 1.00 s, 3.00 s CPU, 50 MiB, 1024 MiB stored; restic / holdfast: 4.00× time, 3.00× CPU, 0.50× memory, 1.00× repository',
    );
  });
});

function slowed({ rounds }: Results['scenarios'][number]): void {
  for (const round of rounds) round['holdfast']!.wallMs = PEER.wallMs;
}

function alone({ rounds }: Results['scenarios'][number]): void {
  for (const round of rounds) delete round['restic'];
}

function enlarged(made: Results, figure: 'peakRssBytes' | 'repositoryBytes', factor: number): void {
  for (const round of scenario(made, 'first-backup').rounds) round['holdfast']![figure] *= factor;
}
