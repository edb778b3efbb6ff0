import { spawnSync } from 'node:child_process';

/** The commit of the code that is measured. */
export function commitNow(): string {
  const { stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' });
  return stdout.trim();
}
