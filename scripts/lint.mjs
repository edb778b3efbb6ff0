/**
 * The linters, each with its name, all of them run even when one fails: `node scripts/lint.mjs [--root DIR] [NAME…]`.
 *
 * - `style`: biome, formatting and lint; a warning is an error.
 * - `layers`: dependency-cruiser, who may import whom.
 * - `unused`: knip, what nobody uses.
 */

import { parseArgs } from 'node:util';
import { root, runOnNode24 } from './node24.mjs';

const LINTERS = {
  style: ['biome', 'check', '--error-on-warnings'],
  layers: ['depcruise', '--config', `${root}.dependency-cruiser.cjs`, '--output-type', 'err-long', 'src'],
  unused: ['knip', '--no-progress'],
};

const { values, positionals } = parseArgs({ options: { root: { type: 'string' } }, allowPositionals: true });
const names = positionals.length > 0 ? positionals : Object.keys(LINTERS);
const failed = names.filter((name) => {
  const [program, ...args] = LINTERS[name] ?? [];
  if (program === undefined)
    throw new Error(`no linter is named ${name}; there are ${Object.keys(LINTERS).join(', ')}`);
  return !runOnNode24(program, args, { cwd: values.root ?? root });
});
if (failed.length > 0) {
  console.error(`lint: failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
