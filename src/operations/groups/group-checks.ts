import { lstat, readlink } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { HoldfastError, isHoldfastError, systemCode } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import { type GroupCheck, type Resolved, resolveReferences } from '../../plan/index.ts';
import { type Check, runCommandCheck } from '../../source/index.ts';
import type { InSandbox } from '../restore/in-sandbox.ts';
import type { Workspace } from '../workspace.ts';

/** What came back of each source, by its name, in a sandbox that is still there. */
export type HeldSandboxes = ReadonlyMap<string, Pick<InSandbox, 'source' | 'target'>>;

type ResolvedCheck = Resolved<GroupCheck>;
type Found = Omit<Check, 'name'>;

/** As many of what is missing are named. */
const NAMED_MISSING = 5;

/**
 * Runs the checks that span the sources of a group. What keeps one from being looked at is a failed check, and where one of
 * its sources did not come back, one that is not provable.
 */
export async function runGroupChecks(
  workspace: Workspace,
  checks: readonly GroupCheck[],
  held: HeldSandboxes,
): Promise<Check[]> {
  const results: Check[] = [];
  for (const planned of checks) {
    const check: ResolvedCheck = await resolveReferences(planned, workspace.references);
    results.push(await runCheck(workspace, check, held));
  }
  return results;
}

async function runCheck(workspace: Workspace, check: ResolvedCheck, held: HeldSandboxes): Promise<Check> {
  const { signal } = workspace.environment;
  const name = `validate: ${check.name}`;
  try {
    return check.kind === 'exec'
      ? await runExec(check, held, signal)
      : { name, ...(await runExists(workspace, check, held)) };
  } catch (error) {
    signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    return { name, result: error.code === 'not-provable' ? 'not-provable' : 'failed', detail: error.message };
  }
}

async function runExists(
  workspace: Workspace,
  { sql, existsIn }: Extract<ResolvedCheck, { kind: 'exists' }>,
  held: HeldSandboxes,
): Promise<Found> {
  const [asked, files] = [heldOf(held, sql.source), heldOf(held, existsIn.source)];
  if (asked.source.query === undefined || files.target.kind !== 'directory') {
    throw new HoldfastError('internal', 'a check of a group asks what has no answer');
  }
  const base = await baseOf(workspace, existsIn);
  const missing: string[] = [];
  let [values, missed] = [0, 0];
  for await (const value of asked.source.query(asked.target, sql.query, workspace.environment.signal)) {
    if (value === null) continue;
    values++;
    if (await isIn(files.target.path, resolve(base, value))) continue;
    missed++;
    if (missing.length < NAMED_MISSING) missing.push(value);
  }
  if (missed === 0) return { result: 'passed', detail: `all ${values} are among the files of ${existsIn.source}` };
  const more = missed > missing.length ? ` and ${missed - missing.length} more` : '';
  return {
    result: 'failed',
    detail: `${missed} of ${values} are not among the files of ${existsIn.source}: ${missing.join(', ')}${more}`,
  };
}

function heldOf(held: HeldSandboxes, source: string): Pick<InSandbox, 'source' | 'target'> {
  const found = held.get(source);
  if (found !== undefined) return found;
  throw new HoldfastError('not-provable', `${source} did not come back, so that this could not be looked at`);
}

/** What names are relative to: as the plan says, else the path of a source that has only one. */
async function baseOf(
  workspace: Workspace,
  { source, path }: Extract<ResolvedCheck, { kind: 'exists' }>['existsIn'],
): Promise<string> {
  const [planned] = workspace.sources([source]);
  const paths = planned?.type === 'files' ? await resolveReferences(planned.paths, workspace.references) : [];
  const own = paths.length === 1 ? paths[0]! : '/';
  return path === undefined ? own : resolve(own, path);
}

/** As many links lead to one path, by Linux's own rule. */
const MOST_LINKS = 40;

/**
 * Whether a path of the machine that was backed up is there below the place that files were restored to. A link means what it
 * meant there: what it leads to has to have come back as well, and is never looked for on the living machine.
 */
async function isIn(directory: string, path: string): Promise<boolean> {
  const left = path.split('/');
  let place = '/';
  for (let links = 0; left.length > 0; ) {
    const next = resolve(place, left.shift()!);
    const restored = join(directory, next);
    try {
      const isLink = (await lstat(restored)).isSymbolicLink();
      if (!isLink || left.length === 0) {
        place = next;
        continue;
      }
      links++;
      if (links > MOST_LINKS) return false;
      const target = await readlink(restored);
      if (isAbsolute(target)) place = '/';
      left.unshift(...target.split('/'));
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return false;
      throw error;
    }
  }
  return true;
}

async function runExec(
  check: Extract<ResolvedCheck, { kind: 'exec' }>,
  held: HeldSandboxes,
  signal: AbortSignal,
): Promise<Check> {
  const asked = check.exec.flatMap((word) => [...word.matchAll(/\$\{sandbox\.([\w-]+)\}/g)].map(([, name]) => name!));
  for (const name of asked) heldOf(held, name);
  const places = [...held].map(([name, { target }]) => [name, placeOf(target)] as const);
  const place = {
    words: Object.fromEntries(places.map(([name, each]) => [`sandbox.${name}`, each])),
    environment: Object.fromEntries(places.map(([name, each]) => [variableOf(name), each])),
    // What a program says of secrets may be one of them.
    quotes: [...held.values()].every(({ source }) => source.type !== 'secrets'),
  };
  return runCommandCheck(check, place, signal);
}

/** `HOLDFAST_SANDBOX_OMNI_DB` of `omni-db`. */
export function variableOf(source: string): string {
  return `HOLDFAST_SANDBOX_${source.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;
}

/** A URL, or the path of a directory. */
function placeOf(target: Target): string {
  return target.kind === 'directory' ? target.path : target.url;
}
