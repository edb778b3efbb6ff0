/**
 * Makes a fresh clone ready: npm's dependencies, what is built of the sources, then the system's packages. Says nothing when there is nothing to do.
 *
 * Runs on Node 20 and newer, before anything is installed, so it may use nothing but Node.
 */

import { buildProgram } from './setup/build.mjs';
import { installNpmDependencies } from './setup/npm.mjs';
import { installSystemPackages } from './setup/system.mjs';

const root = new URL('..', import.meta.url);

try {
  installNpmDependencies(root);
  buildProgram(root);
  installSystemPackages();
} catch (error) {
  process.stderr.write(`setup: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
