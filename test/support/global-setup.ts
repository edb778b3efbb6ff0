/**
 * One temporary directory for a whole run of tests, removed at its end; every test's `os.tmpdir()` lies in it. The run fails
 * when the directories above it are not as they were: then something wrote outside its place, a restore perhaps.
 */

import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export default function setUp(): () => void {
  const above = outside(tmpdir());
  // Short, because a Unix socket's path may have no more than 107 bytes.
  const directory = mkdtempSync(join(tmpdir(), 'hf-'));
  // PostgreSQL does not run as root, so that tests start it as somebody who must be able to pass through.
  chmodSync(directory, 0o711);
  process.env['TMPDIR'] = directory;
  process.env['HOLDFAST_TEST_DIRECTORY'] = directory;
  // What tests compile belongs to copies that will be gone; the user's own cache would keep it for ever.
  process.env['XDG_CACHE_HOME'] = join(directory, 'cache');
  mkdirSync(join(directory, 'cache'));
  return () => {
    rmSync(directory, { recursive: true, force: true });
    for (const [path, state] of above) {
      if (stateOf(path) !== state)
        throw new Error(`the tests changed ${path}: it was ${state}, it is ${stateOf(path)}`);
    }
  };
}

/** The directory of temporary files and what it lies in, with owner and permissions of each. */
function outside(path: string): Map<string, string> {
  const parents = path === dirname(path) ? new Map<string, string>() : outside(dirname(path));
  return parents.set(path, stateOf(path));
}

function stateOf(path: string): string {
  const { uid, gid, mode } = statSync(path);
  return `${uid}:${gid} ${mode.toString(8)}`;
}
