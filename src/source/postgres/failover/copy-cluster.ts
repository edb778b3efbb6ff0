import { existsSync } from 'node:fs';
import { chown, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncDirectory, syncOne } from '../../../foundation/directories.ts';
import { HoldfastError, systemReason } from '../../../foundation/errors.ts';
import { databaseArgument, type Location, programEnvironment } from '../location.ts';
import { runOn } from './rewind.ts';
import { type StoppedCluster, unsuitable } from './stopped-cluster.ts';

/** A copy that is whole, and waits to take the place of the directory. */
const copyOf = (directory: string): string => `${directory}.copy`;

/**
 * Copies the new primary beside the old one's directory.
 * Source: PostgreSQL's documentation, "pg_basebackup".
 * @returns where the old data are to go when the copy takes their place
 * @throws program-missing, program-failed, target-unsuitable
 */
export async function copyCluster(
  cluster: StoppedCluster,
  from: Location,
  { slot, fork, signal }: { slot: string; fork: bigint; signal: AbortSignal },
): Promise<string> {
  const { directory, owner } = cluster;
  if ((await readdir(join(directory, 'pg_tblspc'))).length > 0) {
    throw unsuitable(
      directory,
      'has tablespaces, and could not be rewound',
      'Copy it by hand with pg_basebackup, which takes --tablespace-mapping, and make a file standby.signal in it.',
    );
  }
  const part = `${copyOf(directory)}.part`;
  for (const left of [part, copyOf(directory)]) await rm(left, { recursive: true, force: true });
  await mkdir(part, { mode: 0o700 });
  if (owner !== undefined) await chown(part, owner.uid, owner.gid);
  const words = [
    '-D',
    part,
    '-X',
    'stream',
    '-c',
    'fast',
    '--no-password',
    '--slot',
    slot,
    '-d',
    databaseArgument(from),
  ];
  await runOn(cluster, 'pg_basebackup', words, { environment: programEnvironment(from), signal });
  await syncDirectory(part);
  await rename(part, copyOf(directory));
  await syncOne(dirname(directory));
  return freeName(`${directory}.before-${fork.toString(16).toUpperCase()}`);
}

/** Puts the copy into its place, and what was there aside; what of that was done already is left as it is. */
export async function takePlace(directory: string, aside: string): Promise<void> {
  if (!existsSync(copyOf(directory))) return;
  if (existsSync(directory)) await putAside(directory, aside);
  await rename(copyOf(directory), directory);
  await syncOne(dirname(directory));
}

async function putAside(directory: string, aside: string): Promise<void> {
  try {
    await rename(directory, aside);
  } catch (error) {
    throw new HoldfastError('target-unsuitable', `${directory} cannot be put aside: ${systemReason(error)}`, {
      hint: `The copy lies whole at ${copyOf(directory)}. Where ${basename(directory)} is a mount of its own, let the plan name a directory below it.`,
      context: { directory },
      cause: error,
    });
  }
}

function freeName(wanted: string): string {
  let name = wanted;
  for (let number = 2; existsSync(name); number++) name = `${wanted}-${number}`;
  return name;
}
