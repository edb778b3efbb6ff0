import { readFileSync } from 'node:fs';

/**
 * Where file systems are mounted, also directories and files of one that is mounted elsewhere already: paths, one byte each
 * character. None where the system does not say.
 */
export function mountPoints(): string[] {
  if (process.platform !== 'linux') return [];
  try {
    const lines = readFileSync('/proc/self/mountinfo', 'latin1').split('\n');
    return lines.flatMap((line) => line.split(' ')[4] ?? []).map(unescaped);
  } catch {
    // Without /proc, the numbers of devices still tell file systems apart.
    return [];
  }
}

/** Spaces, tabs, newlines and backslashes are written in octal. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
