/** What the command line is run from: see scripts/build.mjs. */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { node24Environment } from '../node24.mjs';
import { runVisibly } from './run.mjs';

const { isBuiltOfPresent } = createRequire(import.meta.url)('../../bin/launcher/built.cjs');

/** Builds, unless what is there was built of the sources as they are. Without it, Holdfast runs from the sources. */
export function buildProgram(root) {
  // Not there where only what Holdfast needs to run was installed.
  if (!existsSync(new URL('node_modules/rolldown', root)) || isBuiltOfPresent(fileURLToPath(root))) return;
  runVisibly('build', 'node', ['scripts/build.mjs'], { cwd: root, env: node24Environment() });
}
