/** The system's packages that tests and the demo use. Holdfast itself runs without them. */

import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runVisibly } from './run.mjs';

/**
 * A row for each package: its Debian name, what it is for, and a program that tells whether it is there. A program with
 * a slash is a path, in which one part may be `*`; one without is looked for in PATH. Any one of them is enough.
 */
const SYSTEM_PACKAGES = [
  {
    package: 'postgresql',
    purpose: 'PostgreSQL, to back up, and to prove restores in',
    programs: ['/usr/lib/postgresql/*/bin/initdb', 'initdb'],
    beforeInstall: keepPostgresqlFromMakingACluster,
  },
  {
    package: 'postgresql-client',
    purpose: 'pg_dump, which takes the schema of a logical backup',
    programs: ['/usr/lib/postgresql/*/bin/pg_dump', 'pg_dump'],
  },
  {
    package: 'redis-server',
    purpose: 'Redis, to back up, and to prove restores in',
    programs: ['redis-server', 'valkey-server'],
  },
  {
    package: 'redis-tools',
    purpose: 'redis-cli, which the figures are compared with',
    programs: ['redis-cli', 'valkey-cli'],
  },
  {
    package: 'haproxy',
    purpose: 'HAProxy, which leads clients to whichever server is the primary',
    programs: ['/usr/sbin/haproxy', 'haproxy'],
  },
  {
    package: 'bind9',
    purpose: 'BIND, whose names a recovery points elsewhere',
    programs: ['/usr/sbin/named', 'named'],
  },
  { package: 'git', purpose: 'git, to back up repositories', programs: ['git'] },
  { package: 'restic', purpose: 'stock restic, which judges the repository format', programs: ['restic'] },
  { package: 'age', purpose: 'age, which opens a recovery kit by hand', programs: ['age'] },
  { package: 'radosgw', purpose: "Ceph's gateway, the S3 server of the tests", programs: ['radosgw'] },
  { package: 'ceph-mon', purpose: 'the monitor that radosgw needs', programs: ['ceph-mon'] },
  { package: 'ceph-osd', purpose: 'the storage that radosgw needs', programs: ['ceph-osd'] },
];

/** Installs what is missing, or says how to. Never fails: tests that miss a program say so by name. */
export function installSystemPackages(packages = SYSTEM_PACKAGES) {
  const missing = packages.filter(({ programs }) => !programs.some(isProgramThere));
  if (missing.length === 0) return;
  const names = missing.map((entry) => entry.package);
  for (const entry of missing) process.stderr.write(`setup: missing: ${entry.package} (${entry.purpose})\n`);
  if (!isProgramThere('apt-get') || process.getuid?.() !== 0) {
    process.stderr.write(
      `setup: install it yourself: ${commandFor(names)}\nsetup: until then some tests are skipped\n`,
    );
    return;
  }
  for (const entry of missing) entry.beforeInstall?.();
  withoutStartingServices(() => installWithApt(names));
}

function isProgramThere(program) {
  if (!program.includes('/')) {
    return (process.env.PATH ?? '').split(':').some((directory) => isExecutable(join(directory || '.', program)));
  }
  const [before, after] = program.split('*');
  if (after === undefined) return isExecutable(program);
  return existsSync(before) && readdirSync(before).some((part) => isExecutable(before + part + after));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function commandFor(names) {
  if (isProgramThere('apt-get')) return `sudo apt-get install ${names.join(' ')}`;
  if (isProgramThere('brew')) {
    return `brew install ${[...new Set(names.map((name) => name.replace('-client', '')))].join(' ')}`;
  }
  return `the packages that give you ${names.join(', ')}`;
}

function installWithApt(names) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', UCF_FORCE_CONFFOLD: '1' };
  // Another apt may be at work, on a machine that has just started: wait for it.
  const options = ['-qq', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Use-Pty=0'];
  const install = ['install', '--yes', '--no-install-recommends', ...options, ...names];
  try {
    runVisibly('lists of packages', 'apt-get', ['update', ...options], { env });
    runVisibly(`system packages ${names.join(' ')}`, 'apt-get', install, { env });
  } catch (error) {
    process.stderr.write(`setup: ${error.message}\nsetup: without them some tests are skipped\n`);
  }
}

/**
 * Debian's postgresql makes a cluster named main as it is installed, and starts it with the machine from then on. Tests
 * make their own, so Debian is told not to, in the file that it has for this; only where the file is not there yet,
 * since otherwise PostgreSQL was here before and the choice is somebody else's.
 */
function keepPostgresqlFromMakingACluster() {
  const file = '/etc/postgresql-common/createcluster.conf';
  if (existsSync(file)) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    '# Written by the set-up of Holdfast, whose tests make their own.\ncreate_main_cluster = false\n',
  );
}

/** Debian's packages start their services unless this file forbids it; it stands only while `install` runs. */
function withoutStartingServices(install) {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return install();
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
  } finally {
    rmSync(policy);
  }
}
