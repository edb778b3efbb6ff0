/**
 * Runs a program with Node 24, and the project's own tools, first in PATH: `node scripts/node24.mjs PROGRAM [ARG…]`.
 *
 * npm's scripts get there by themselves once the dependencies are installed; this is for whoever does not come from npm.
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const { findNode24 } = createRequire(import.meta.url)('../bin/launcher/node24.cjs');

export const root = fileURLToPath(new URL('..', import.meta.url));

function installedNode24() {
  return Number.parseInt(process.versions.node, 10) >= 24 ? process.execPath : findNode24();
}

/** The environment for a program that needs Node 24. @throws when there is none */
export function node24Environment() {
  const node = installedNode24();
  if (node === undefined) throw new Error('Node 24 is not installed; run "npm run setup"');
  return { ...process.env, PATH: [dirname(node), `${root}node_modules/.bin`, process.env.PATH].join(delimiter) };
}

/** Runs a program to its end with its output shown. Whether it ended with 0. */
export function runOnNode24(program, args, options = {}) {
  const { error, status } = spawnSync(program, args, {
    cwd: root,
    env: node24Environment(),
    stdio: 'inherit',
    ...options,
  });
  if (error) throw new Error(`${program} does not start: ${error.message}`);
  return status === 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // In a fresh clone this is what somebody may begin with, also one with a Node 24 of his own.
  if (!existsSync(`${root}node_modules`) || installedNode24() === undefined)
    spawnSync(process.execPath, [fileURLToPath(new URL('setup.mjs', import.meta.url))], { stdio: 'inherit' });
  const [program, ...args] = process.argv.slice(2);
  process.exitCode = runOnNode24(program, args, { cwd: process.cwd() }) ? 0 : 1;
}
