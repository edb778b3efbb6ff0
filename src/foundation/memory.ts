import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { nativeFunctionIfThere } from './native-library.ts';
import { trimMemory } from './posix.ts';

/** Linux's MADV_PAGEOUT: what is advised so is not needed soon, and comes back by itself when it is. */
const PAGE_OUT = 21;

type Advise = (address: bigint, length: bigint, advice: number) => number;

/**
 * Gives back to the system what much work has left behind, where little comes after it: what the engine and the allocator
 * keep, and the parts of the program itself that the work took, which the system has in its cache. It takes some tens of
 * milliseconds; nothing is lost by it.
 */
export function giveBackMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  trimMemory();
  if (process.platform === 'linux') pageOutProgram();
}

/** Where the system takes no such advice, more stays in memory, and that is all. */
function pageOutProgram(): void {
  const advise = nativeFunctionIfThere<Advise>('int madvise(uint64_t, uint64_t, int)');
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    const [, from, to, path] = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p .* (\/.*)$/.exec(line) ?? [];
    if (path !== process.execPath) continue;
    const [start, end] = [BigInt(`0x${from}`), BigInt(`0x${to}`)];
    advise?.(start, end - start, PAGE_OUT);
  }
}
