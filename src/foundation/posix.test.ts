import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

const urlOf = (name: string): string => new URL(name, import.meta.url).href;
const isGlibc = 'glibcVersionRuntime' in (process.report.getReport() as { header: object }).header;

/** In a process of its own, whose allocator has seen nothing yet: of large buffers that come and go some are kept in between. */
const KEEPING_SOME = `
  import { readFileSync } from 'node:fs';
  import { releaseBuffer } from '${urlOf('buffers.ts')}';
  import { giveBackLargeBuffers } from '${urlOf('posix.ts')}';
  giveBackLargeBuffers();
  const residentBytes = () => 1024 * Number(/^RssAnon:\\s+(\\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))[1]);
  const before = residentBytes();
  const kept = [];
  for (let round = 0; round < 3; round++) {
    const buffers = Array.from({ length: 30 }, (_, at) => Buffer.allocUnsafeSlow(3e6 + at * 1e5).fill(1));
    kept.push(...buffers.filter((_, at) => at % 5 === 4));
    for (const buffer of buffers) if (!kept.includes(buffer)) releaseBuffer(buffer);
  }
  console.log(residentBytes() - before - kept.reduce((sum, { length }) => sum + length, 0));`;

it.skipIf(!isGlibc)('gives the memory of large buffers back as they are freed', () => {
  const { stdout } = spawnSync(process.execPath, ['--input-type=module'], { input: KEEPING_SOME, encoding: 'utf8' });
  expect(Number(stdout || Number.NaN)).toBeLessThan(16 * 2 ** 20);
});
