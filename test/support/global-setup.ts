/** What a whole run of tests shares, ended with it: a temporary directory, in which every test's `os.tmpdir()` lies, and servers. */

import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { offerRadosgw, SOCKET } from './radosgw.ts';

/** Where Linux keeps files in memory. */
const IN_MEMORY = '/dev/shm';
/** What a run has at once is less than half of it. */
const NEEDED_BYTES = 8 * 2 ** 30;

export default function setUp(): () => void {
  // Short, because a Unix socket's path may have no more than 107 bytes.
  const directory = mkdtempSync(join(outerDirectory(), 'hf-'));
  // PostgreSQL does not run as root, so that tests start it as somebody who must be able to pass through.
  chmodSync(directory, 0o711);
  process.env['TMPDIR'] = directory;
  process.env['HOLDFAST_TEST_DIRECTORY'] = directory;
  // What tests compile belongs to copies that will be gone; the user's own cache would keep it for ever.
  process.env['XDG_CACHE_HOME'] = join(directory, 'cache');
  mkdirSync(join(directory, 'cache'));
  // Threads and processes that tests start load the same modules hundreds of times.
  process.env['NODE_COMPILE_CACHE'] = join(directory, 'cache', 'compiled');
  const radosgw = offerRadosgw(join(directory, SOCKET), join(directory, 'radosgw'));
  return () => {
    radosgw.stop();
    rmSync(directory, { recursive: true, force: true });
  };
}

/**
 * In memory where there is room. Thousands of files come and go here, and ext4 without a journal looks through all that were
 * removed in the last seconds for each that is made: more than a third of a processor's time in some tests. Where `TMPDIR`
 * says so, elsewhere.
 */
function outerDirectory(): string {
  if (process.env['TMPDIR'] !== undefined) return tmpdir();
  // Other systems have none.
  if (!existsSync(IN_MEMORY)) return tmpdir();
  const { bavail, bsize } = statfsSync(IN_MEMORY);
  return bavail * bsize >= NEEDED_BYTES ? IN_MEMORY : tmpdir();
}
