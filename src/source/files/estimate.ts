import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { byteString, byteStringOfText, bytesOf } from '../../format/index.ts';
import { systemCode } from '../../foundation/errors.ts';

/**
 * How much there is to read, for a first backup that has no earlier one to guess from. What cannot be looked at counts for
 * nothing here: the backup itself says so.
 */
export function estimateFiles(
  paths: readonly string[],
  isExcluded: (path: string) => boolean,
): { bytes: number; items: number } {
  const total = { bytes: 0, items: 0 };
  const visit = (path: string): void => {
    if (isExcluded(path)) return;
    const stats = attempt((): Stats | undefined => lstatSync(bytesOf(path), { throwIfNoEntry: false }));
    if (stats?.isFile()) {
      total.bytes += stats.size;
      total.items++;
    } else if (stats?.isDirectory()) {
      const names = attempt(() => readdirSync(bytesOf(path), { encoding: 'buffer' })) ?? [];
      for (const name of names) visit(`${path}/${byteString(name)}`);
    }
  };
  for (const path of paths) visit(byteStringOfText(path));
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
