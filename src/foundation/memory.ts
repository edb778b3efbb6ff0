import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { nativeFunctionIfThere } from './native-library.ts';
import { trimMemory } from './posix.ts';
import { dropSpares } from './spare.ts';
import { endIdleThreads } from './threads.ts';

/** Linux's MADV_DONTNEED: what was read from a file and not changed is read again when it is needed. */
const NOT_NEEDED = 4;

type Advise = (address: bigint, length: bigint, advice: number) => number;

/**
 * Gives back to the system what much work has left behind, where little comes after it: what the engine and the allocator
 * keep, threads that wait for work, and the parts of the program itself that the work took, which the system has in its cache. It takes some tens of
 * milliseconds; nothing is lost by it.
 */
export function giveBackMemory(): void {
  endIdleThreads();
  dropSpares();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  trimMemory();
  if (process.platform === 'linux') pageOutProgram();
}

/** Where the system takes no such advice, more stays in memory, and that is all. */
function pageOutProgram(): void {
  const advise = nativeFunctionIfThere<Advise>('int madvise(uint64_t, uint64_t, int)');
  for (const { start, end } of unchangedPartsOfProgram()) advise?.(start, end - start, NOT_NEEDED);
}

const PART = /^([0-9a-f]+)-([0-9a-f]+) (\S+) .* (\/.*)$/;

/** Where the program's file lies in memory and nobody may write, nor has: what was changed there would be lost. */
function unchangedPartsOfProgram(): { start: bigint; end: bigint }[] {
  const parts: { start: bigint; end: bigint }[] = [];
  let part: RegExpExecArray | null = null;
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    if (/^[0-9a-f]+-/.test(line)) part = PART.exec(line);
    const [, start, end, access, path] = part ?? [];
    if (path !== process.execPath || !/^r-[x-]p$/.test(access ?? '')) continue;
    if (/^Private_Dirty: +0 kB/.test(line)) parts.push({ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) });
  }
  return parts;
}
