import { readFileSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { HoldfastError } from '../../foundation/errors.ts';
import { firestoreConfirmation, firestoreDatabase } from '../../foundation/firestore-database.ts';
import type { Target } from '../../foundation/target.ts';
import { type Source as PlanSource, storePlace } from '../../plan/index.ts';
import type { Workspace } from '../workspace.ts';

/** What keeps a restore that replaces its target from replacing what nobody can have meant. */

export interface Replacement {
  replace?: boolean;
  /** Of Firestore: what differs is written, and nothing removed. */
  diff?: boolean;
  /** The name of what is to be replaced, typed by whoever wants it. */
  confirm?: string;
  /** Only says what would be removed; nobody has to confirm that. */
  dryRun?: boolean;
  /** Of Firestore: only says what it would take. */
  estimate?: boolean;
}

/** @throws bad-usage where it is not confirmed; source-unsupported for a database; target-unsuitable */
export async function refuseReplacing(
  workspace: Workspace,
  { replace = false, diff = false, confirm, dryRun = false, estimate = false }: Replacement,
  { target, planned }: { target: Target; planned: PlanSource | undefined },
): Promise<void> {
  if (planned?.type === 'firestore' && target.kind === 'database') {
    if (!estimate) refuseOverwriting(target, { replace, diff, confirm, dryRun });
    return;
  }
  if (estimate) {
    throw new HoldfastError('bad-usage', '--estimate is for what is charged for by the operation', {
      hint: 'Leave it out: no writes of this target are charged for.',
    });
  }
  if (diff) {
    throw new HoldfastError('bad-usage', '--diff is for the documents of a Firestore database', {
      hint: 'Leave `--diff` out: `--replace` writes only what differs as well.',
    });
  }
  if (!replace) {
    if (confirm === undefined && !dryRun) return;
    const option = dryRun ? '--dry-run' : '--confirm';
    throw new HoldfastError('bad-usage', `${option} belongs to --replace`, {
      hint: `Add \`--replace\` to have the target replaced, or leave \`${option}\` out.`,
    });
  }
  if (target.kind !== 'directory' || (planned?.type === 'postgres' && planned.method !== 'physical')) {
    throw new HoldfastError(
      'source-unsupported',
      planned?.type === 'postgres'
        ? 'a database cannot be replaced, only the data directory of a cluster'
        : 'only a directory can be replaced',
      { hint: INSTEAD[planned?.type ?? ''] ?? 'Give `--to` a directory, or leave `--replace` out.' },
    );
  }
  const name = basename(target.path);
  if (!dryRun && name !== '' && confirm !== name) throw unconfirmed(target.path, name, confirm);
  const real = realPath(target.path);
  for (const { path, what } of await protectedPlaces(workspace)) {
    if (isWithin(path, real)) throw unsuitable(target.path, `holds ${what} ${path}`);
  }
  for (const path of await repositoriesOf(workspace)) {
    if (isWithin(real, path)) throw unsuitable(target.path, `lies in the repository ${path}`);
  }
}

/** What to do where `--replace` does not go, by the type of the source. */
const INSTEAD: Readonly<Record<string, string>> = {
  postgres:
    'Restore to a database, or a directory, that is new, and let it take the place of the old one: `ALTER DATABASE … RENAME TO …`.',
  redis: 'Restore to a server that is new; or empty this one first, with `FLUSHALL`, and leave `--replace` out.',
  secrets: 'Leave `--replace` out: what differs is added as a new version, and nothing is removed.',
};

/** A database of documents may be changed while others work on it, of course only by whoever says so. */
function refuseOverwriting(
  { url }: Extract<Target, { kind: 'database' }>,
  { replace, diff, confirm, dryRun }: { replace: boolean; diff: boolean; confirm: string | undefined; dryRun: boolean },
): void {
  if (replace && diff) {
    throw new HoldfastError('bad-usage', '--replace and --diff exclude each other', {
      hint: 'Both write only what differs; `--replace` removes what the snapshot does not have as well.',
    });
  }
  const mode = replace ? '--replace' : '--diff';
  if (!replace && !diff) {
    if (confirm === undefined && !dryRun) return;
    const option = dryRun ? '--dry-run' : '--confirm';
    throw new HoldfastError('bad-usage', `${option} belongs to --replace or --diff`, {
      hint: `Add \`--diff\` to have what differs written, or leave \`${option}\` out.`,
    });
  }
  const name = firestoreConfirmation(firestoreDatabase(url));
  if (dryRun || confirm === name) return;
  const given =
    confirm === undefined ? 'must be confirmed with --confirm' : `is not confirmed by ${JSON.stringify(confirm)}`;
  throw new HoldfastError('bad-usage', `${mode} ${given}`, {
    hint: `Type \`${mode} --confirm ${shellWord(name)}\` to have documents of that database overwritten; \`--dry-run\` shows which.`,
  });
}

/**
 * What a snapshot holds is restored below the target at the paths that it had. Where the target is one of these paths, what
 * lives there would go, and come back somewhere else.
 * @param paths those of the snapshot
 * @throws target-unsuitable
 */
export function refuseReplacingOrigin(target: Target, paths: readonly string[]): void {
  if (target.kind !== 'directory') return;
  const real = realPath(target.path);
  const own = paths.find((path) => path !== '/' && (isWithin(path, real) || isWithin(real, path)));
  if (own === undefined) return;
  throw new HoldfastError(
    'target-unsuitable',
    `${target.path} overlaps ${own}, which the snapshot is of: that would come back as ${join(target.path, own)}`,
    { hint: 'Name another directory: what is restored lies below the target at the paths that it had.' },
  );
}

function unconfirmed(path: string, name: string, given: string | undefined): HoldfastError {
  const message =
    given === undefined
      ? '--replace must be confirmed with --confirm'
      : `--confirm ${JSON.stringify(given)} is not the name of the target`;
  return new HoldfastError('bad-usage', message, {
    hint: `Type \`--replace --confirm ${shellWord(name)}\` to have ${path} replaced: what is in it and not in the snapshot is removed.`,
  });
}

function unsuitable(target: string, why: string): HoldfastError {
  return new HoldfastError('target-unsuitable', `${target} is not replaced: it ${why}`, {
    hint: 'Name a directory that holds nothing but what is to be replaced.',
    context: { target },
  });
}

async function protectedPlaces(workspace: Workspace): Promise<{ path: string; what: string }[]> {
  const { planPath } = workspace;
  const plans = planPath === undefined ? [] : [planPath, realPath(planPath)];
  return [
    // First, as it holds all the others.
    { path: '/', what: 'the root directory' },
    ...(await repositoriesOf(workspace)).map((path) => ({ path, what: 'the repository' })),
    ...plans.map((path) => ({ path, what: 'the plan' })),
    ...homes(workspace).map((path) => ({ path: realPath(path), what: 'the home directory' })),
  ];
}

async function repositoriesOf({ plan, references }: Workspace): Promise<string[]> {
  const stores = [...plan.repositories.values(), ...plan.mirrors.values()];
  const places = await Promise.all(stores.map((each) => storePlace(each, references)));
  return places.flatMap((place) => (place.kind === 'local' ? [realPath(place.path)] : []));
}

/** Homes of people, whose numbers begin at 1000 (on macOS at 500), and of root; those of services are data like any other. */
function homes({ environment }: Workspace): string[] {
  const home = environment.variables['HOME'];
  const listed = accounts().flatMap((line) => {
    const [name, , user, , , directory] = line.split(':');
    const isPerson = name === 'root' || (Number(user) >= 500 && Number(user) < 65_534);
    return isPerson && directory?.startsWith('/') ? [directory] : [];
  });
  return [...new Set([homedir(), ...(home === undefined ? [] : [home]), ...listed])].filter((path) => path !== '/');
}

function accounts(): string[] {
  try {
    return readFileSync('/etc/passwd', 'utf8').split('\n');
  } catch {
    // Not every system lists its users there.
    return [];
  }
}

/** A path without links as far as it exists. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

function shellWord(name: string): string {
  return /^[\w.,:@%+-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}
