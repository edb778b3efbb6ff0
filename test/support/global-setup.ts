/** What a whole run of tests shares, ended with it: a temporary directory, in which every test's `os.tmpdir()` lies, and servers. */

import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { offerRadosgw, SOCKET } from './radosgw.ts';

export default function setUp(): () => void {
  // Short, because a Unix socket's path may have no more than 107 bytes.
  const directory = mkdtempSync(join(tmpdir(), 'hf-'));
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
