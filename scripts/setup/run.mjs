import { spawnSync } from 'node:child_process';

/** Runs a program with its output shown; says how long it took. @throws when it does not end with 0 */
export function runVisibly(what, program, args, options = {}) {
  process.stderr.write(`setup: ${what} …\n`);
  const startMs = performance.now();
  const { status, signal, error } = spawnSync(program, args, { ...options, stdio: ['ignore', 2, 2] });
  if (error) throw new Error(`${program} does not start: ${error.message}`);
  if (status !== 0) throw new Error(`"${[program, ...args].join(' ')}" ended with ${signal ?? status}`);
  process.stderr.write(`setup: ${what}: done in ${((performance.now() - startMs) / 1000).toFixed(1)} s\n`);
}
