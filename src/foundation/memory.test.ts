import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { giveBackMemory } from './memory.ts';

/** What of files, this program among them, is in memory for this process, in KiB. */
function residentOfFilesKib(): number {
  return Number(/^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]);
}

it.skipIf(process.platform !== 'linux')('gives the parts of the program back that nobody uses now', async () => {
  const givenBackKib = (): number => {
    // What takes some of it.
    new Intl.DateTimeFormat('de', { dateStyle: 'full' }).format(0);
    const before = residentOfFilesKib();
    giveBackMemory();
    return before - residentOfFilesKib();
  };
  // Threads of the engine may need some of it at the same moment.
  await expect.poll(givenBackKib).toBeGreaterThan(2048);
});
