import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { type ResourceLimits, Worker } from 'node:worker_threads';

/**
 * Starts a thread. It takes compiled code from where this process takes it: by itself it would compile everything anew,
 * which from the sources is a tenth of a second and 20 MiB.
 * @param data what the thread finds as `workerData`
 */
export function startThread(file: URL, data: unknown, resourceLimits: ResourceLimits = {}): Worker {
  const cache = getCompileCacheDir();
  // Node adds the directory of its version by itself.
  const env = cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) };
  return new Worker(file, { workerData: data, env, resourceLimits });
}
