/** Builds dist/ for the package: the sources as JavaScript, and the files that they read at run time. */

import { cpSync, readdirSync, rmSync } from 'node:fs';
import { extname } from 'node:path';
import { root, runOnNode24 } from './node24.mjs';

/** What stands beside the sources because it is not TypeScript. */
const ASSETS = new Set(['.sql', '.sh', '.md', '.wasm', '.json', '.yaml', '.html', '.css', '.conf']);

rmSync(`${root}dist`, { recursive: true, force: true });
if (!runOnNode24('tsc', ['--project', 'tsconfig.build.json'])) throw new Error('the sources do not compile');
for (const entry of readdirSync(`${root}src`, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !ASSETS.has(extname(entry.name))) continue;
  const source = `${entry.parentPath}/${entry.name}`;
  cpSync(source, source.replace(`${root}src`, `${root}dist`));
}
