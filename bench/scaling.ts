/**
 * `npm run bench:scaling`: what a first backup costs as its data grows, and an unchanged one as old snapshots pile up. Writes
 * scaling.json and a plot of each beside itself.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commitNow } from './commit.ts';
import { writeMixed } from './data.ts';
import { measure } from './measure.ts';
import { type Plot, plot } from './plot.ts';
import { environment, installedTools, type Place, remove, run } from './tools.ts';

const SIZES_MEBIBYTES = [64, 128, 256, 512, 1024];
const SNAPSHOTS = [1, 50, 100, 200, 400];
const REPEATS = 3;
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface Point {
  x: number;
  /** The least of several runs: what else the machine does only adds. */
  cpuSeconds: number;
}

function least(command: string[], place: Place, before: () => void = () => {}): number {
  const runs = Array.from({ length: REPEATS }, () => {
    before();
    return measure(command, { cwd: place.directory, env: environment(place) }).cpuMs / 1000;
  });
  return Math.min(...runs);
}

function withPlace<T>(mebibytes: number, work: (place: Place) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-scaling-'));
  const place = { directory, data: join(directory, 'data') };
  mkdirSync(place.data);
  writeMixed(place.data, mebibytes);
  try {
    return work(place);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function bySize(): Point[] {
  return SIZES_MEBIBYTES.map((mebibytes) =>
    withPlace(mebibytes, (place) => {
      const [holdfast] = installedTools(place);
      const cpuSeconds = least(holdfast!.backup(), place, () => {
        remove(place, holdfast!.repository);
        run(holdfast!.init(), place);
      });
      console.log(`${mebibytes} MiB: ${cpuSeconds.toFixed(2)} s`);
      return { x: mebibytes, cpuSeconds };
    }),
  );
}

function bySnapshots(): Point[] {
  return withPlace(32, (place) => {
    const [holdfast] = installedTools(place);
    run(holdfast!.init(), place);
    let taken = 0;
    return SNAPSHOTS.map((count) => {
      // Those that are measured count as well.
      for (; taken < count; taken++) run(holdfast!.backup(), place);
      const cpuSeconds = least(holdfast!.backup(), place);
      taken += REPEATS;
      console.log(`${count} snapshots: ${cpuSeconds.toFixed(2)} s`);
      return { x: count, cpuSeconds };
    });
  });
}

const size = bySize();
const snapshots = bySnapshots();
const pointsOf = (points: Point[]): Plot['points'] => points.map(({ x, cpuSeconds }) => ({ x, y: cpuSeconds }));
writeFileSync(here('scaling.json'), `${JSON.stringify({ commit: commitNow(), size, snapshots }, null, 1)}\n`);
writeFileSync(
  here('scaling-data.svg'),
  plot({ title: 'First backup', x: 'MiB of mixed data', y: 'processor seconds', points: pointsOf(size) }),
);
writeFileSync(
  here('scaling-snapshots.svg'),
  plot({
    title: 'Unchanged backup of 32 MiB',
    x: 'old snapshots',
    y: 'processor seconds',
    points: pointsOf(snapshots),
  }),
);
