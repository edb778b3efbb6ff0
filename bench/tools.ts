/** The tools that are compared, as the same few verbs. */

import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PASSWORD = 'benchmark';
const HOLDFAST = fileURLToPath(new URL('../bin/holdfast', import.meta.url));

export interface Tool {
  name: string;
  version: string;
  /** Where its repository lies, below the working directory. */
  repository: string;
  init(): string[];
  backup(): string[];
  /** One that reads all again, also what did not change. */
  backupReadAll(): string[];
  restore(target: string): string[];
  checkAllData(): string[];
  prune(): string[];
  /** Lists a snapshot, for which the index is loaded. */
  list(): string[];
  snapshots(): string[];
}

/** What is prepared before the verbs: where the tools work, and on what. */
export interface Place {
  directory: string;
  data: string;
}

export function environment(place: Place): NodeJS.ProcessEnv {
  const secrets = { RESTIC_PASSWORD: PASSWORD, RUSTIC_PASSWORD: PASSWORD, HOLDFAST_BENCH_PASSWORD: PASSWORD };
  return { ...process.env, ...secrets, HOLDFAST_PLAN: join(place.directory, 'holdfast.yaml') };
}

/** Holdfast, and whatever of restic and rustic is on this machine. */
export function installedTools(place: Place): Tool[] {
  return [holdfast(place), restic(place), rustic(place)].filter((tool) => tool !== undefined);
}

function holdfast(place: Place): Tool {
  writePlan(place, 'holdfast');
  const version = spawnSync(HOLDFAST, ['--version'], { encoding: 'utf8' }).stdout.trim();
  const words = (...args: string[]): string[] => [HOLDFAST, '--no-progress', ...args];
  return {
    name: 'holdfast',
    version,
    repository: 'holdfast',
    init: () => words('init'),
    backup: () => words('backup'),
    backupReadAll: () => words('backup', '--read-all'),
    restore: (target) => words('restore', 'data', '--to', target),
    checkAllData: () => words('check', '--read-data'),
    prune: () => words('prune'),
    list: () => words('ls', 'latest'),
    snapshots: () => words('snapshots'),
  };
}

/** @param repository whichever tool wrote it */
export function writePlan({ directory, data }: Place, repository: string): void {
  writeFileSync(
    join(directory, 'holdfast.yaml'),
    `version: 1
name: bench
repositories: { main: { store: ${join(directory, repository)}, password: { env: HOLDFAST_BENCH_PASSWORD } } }
sources: { data: { type: files, paths: [${data}] } }
`,
  );
}

function restic({ directory, data }: Place): Tool | undefined {
  const found = versionOf('restic', ['version'], /restic (\S+)/);
  if (found === undefined) return undefined;
  const repository = join(directory, 'restic');
  const words = (...args: string[]): string[] => ['restic', '--quiet', '--no-cache', '--repo', repository, ...args];
  return {
    name: 'restic',
    version: found,
    repository: 'restic',
    init: () => words('init', '--repository-version', '2'),
    backup: () => words('backup', data),
    backupReadAll: () => words('backup', '--force', data),
    restore: (target) => words('restore', 'latest', '--target', target),
    checkAllData: () => words('check', '--read-data'),
    prune: () => words('prune'),
    list: () => words('ls', 'latest'),
    snapshots: () => words('snapshots'),
  };
}

function rustic({ directory, data }: Place): Tool | undefined {
  const found = versionOf('rustic', ['--version'], /rustic (\S+)/);
  if (found === undefined) return undefined;
  const repository = join(directory, 'rustic');
  const words = (...args: string[]): string[] => [
    'rustic',
    '--no-cache',
    '--no-progress',
    '--repository',
    repository,
    ...args,
  ];
  return {
    name: 'rustic',
    version: found,
    repository: 'rustic',
    init: () => words('init'),
    backup: () => words('backup', data),
    backupReadAll: () => words('backup', '--force', data),
    restore: (target) => words('restore', 'latest', target),
    checkAllData: () => words('check', '--read-data'),
    prune: () => words('prune', '--instant-delete'),
    list: () => words('ls', 'latest'),
    snapshots: () => words('snapshots'),
  };
}

function versionOf(program: string, args: string[], pattern: RegExp): string | undefined {
  const { stdout } = spawnSync(program, args, { encoding: 'utf8' });
  return pattern.exec(stdout ?? '')?.[1];
}

/** Leaves restic's repository one snapshot, and in it all that the others held. */
export function forgetAllButLast(place: Place): void {
  run(
    ['restic', '--quiet', '--no-cache', '--repo', join(place.directory, 'restic'), 'forget', '--keep-last', '1'],
    place,
  );
}

/** Runs what is not measured. @throws with what it said */
export function run(command: string[], place: Place): void {
  const [program, ...args] = command as [string, ...string[]];
  const { status, stderr } = spawnSync(program, args, {
    cwd: place.directory,
    env: environment(place),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`${command.join(' ')} failed: ${stderr}`);
}

export function remove(place: Place, ...names: string[]): void {
  for (const name of names) rmSync(join(place.directory, name), { recursive: true, force: true });
}
