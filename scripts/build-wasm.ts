/**
 * Builds the WebAssembly beside each of its sources: every NAME.wat below src/ becomes NAME.wasm. The results are kept with the
 * sources, so that a checkout runs without this; a test holds them against a build of its own.
 */

import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import wabt from 'wabt';

const FEATURES = { threads: true };
const root = fileURLToPath(new URL('..', import.meta.url));

/** The binary of a WebAssembly text, which may use shared memory. */
export async function buildWasm(file: string): Promise<Buffer> {
  const { parseWat } = await wabt();
  const module = parseWat(file, readFileSync(file, 'utf8'), FEATURES);
  try {
    return Buffer.from(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  for (const file of globSync(`${root}src/**/*.wat`)) {
    writeFileSync(file.replace(/wat$/, 'wasm'), await buildWasm(file));
  }
}
