/**
 * Gives each file of tests a temporary directory of its own within the run's, removed at its end: what hundreds of files leave
 * behind is more than a disk likes to write, and to remove at once.
 */

import { chmodSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const run = process.env['HOLDFAST_TEST_DIRECTORY'];
if (run === undefined) throw new Error('this run has no directory');
// A short name, for sockets; and open to pass through, for servers that run as somebody else.
const directory = mkdtempSync(join(run, 't'));
chmodSync(directory, 0o711);
process.env['TMPDIR'] = directory;

// Its process will be killed, and would keep what it has compiled to itself.
afterAll(() => flushCompileCache());

// Registered first, it comes last.
afterAll(async () => {
  // What a process on its way out still writes there goes with the run's directory.
  await Promise.allSettled([rm(directory, { recursive: true, force: true, maxRetries: 2 })]);
});
