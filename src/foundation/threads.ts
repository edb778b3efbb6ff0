import { getCompileCacheDir } from 'node:module';
import { dirname, extname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';

/** What a thread works on lies in shared memory; without a limit the engine lets short-lived objects take 16 MB or more. */
const MAX_YOUNG_GENERATION_MB = 3;

/**
 * Where a WebAssembly module calls JavaScript often, the engine compiles the way there anew, and frees the old one: with
 * several threads at it, Node 24 then ends the process ("Check failed: jit_page.has_value()"). Node's own reader of
 * TypeScript is such a module. Calls that are never often enough avoid it.
 */
const NO_WRAPPER_TIERING = '--wasm-wrapper-tiering-budget=2147483647';

/**
 * Starts the module `name` beside the module at `callerUrl` as a thread. What Node keeps compiled for this process serves
 * the thread too: without it each thread would load a compiler of its own, which costs 15 MB and 100 ms.
 */
export function startThread(callerUrl: string, name: string, workerData: unknown): Worker {
  setFlagsFromString(NO_WRAPPER_TIERING);
  const compiled = getCompileCacheDir();
  return new Worker(new URL(`./${name}${extname(callerUrl)}`, callerUrl), {
    workerData,
    resourceLimits: { maxYoungGenerationSizeMb: MAX_YOUNG_GENERATION_MB },
    // Below the directory that was asked for, Node keeps one for each of its versions.
    ...(compiled !== undefined && { env: { ...process.env, NODE_COMPILE_CACHE: dirname(compiled) } }),
  });
}
