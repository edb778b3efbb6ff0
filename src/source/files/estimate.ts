import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { setImmediate as others } from 'node:timers/promises';
import { byteString, byteStringOfText, bytesOf } from '../../format/index.ts';
import { systemCode } from '../../foundation/errors.ts';

/** How many entries are looked at before others have their turn. */
const AT_ONCE = 200;

/**
 * How much there is to read, for a first backup that has no earlier one to guess from. What cannot be looked at counts for
 * nothing here: the backup itself says so.
 * @throws the reason of the signal
 */
export async function estimateFiles(
  paths: readonly string[],
  isExcluded: (path: string) => boolean,
  signal: AbortSignal,
): Promise<{ bytes: number; items: number }> {
  const total = { bytes: 0, items: 0 };
  const left = paths.map(byteStringOfText);
  for (let looked = 1; left.length > 0; looked++) {
    if (looked % AT_ONCE === 0) await others(undefined, { signal });
    const path = left.pop()!;
    if (isExcluded(path)) continue;
    const stats = attempt((): Stats | undefined => lstatSync(bytesOf(path), { throwIfNoEntry: false }));
    if (stats?.isFile()) {
      total.bytes += stats.size;
      total.items++;
    } else if (stats?.isDirectory()) {
      const names = attempt(() => readdirSync(bytesOf(path), { encoding: 'buffer' })) ?? [];
      for (const name of names) left.push(`${path}/${byteString(name)}`);
    }
  }
  return total;
}

function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}
