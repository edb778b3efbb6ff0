import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import {
  extendLocks,
  findHidden,
  HIDDEN_AT_ONCE,
  type HiddenObject,
  noteLooked,
  versionsBelow,
} from '../../repository/index.ts';
import { reportable, type Workspace } from '../workspace.ts';
import { lockPolicyOf, lockScope } from './lock-scope.ts';

/** What became of the locks of a repository after work on it. */
export interface KeptLocked {
  repository: string;
  /** Objects whose lock was made longer. */
  extended: number;
  /** RFC 3339: until when all that is needed is locked at least. */
  until?: string;
  /** Keys of objects that somebody hid, as far as a quick look tells. */
  hidden: string[];
  error?: HoldfastError;
}

/**
 * Extends what is due in the repositories that a plan's work has opened and whose objects are locked, and looks for what was
 * hidden of them. What goes wrong is in the result: the work itself is done.
 */
export async function keepLocked(workspace: Workspace): Promise<KeptLocked[]> {
  const names = workspace.openedNames.filter((name) => lockPolicyOf(workspace, name) !== undefined);
  return Promise.all(names.map((name) => keepOneLocked(workspace, name)));
}

async function keepOneLocked(workspace: Workspace, name: string): Promise<KeptLocked> {
  const { clock, signal } = workspace.environment;
  const progress = workspace.environment.progress(name);
  const kept: KeptLocked = { repository: name, extended: 0, hidden: [] };
  try {
    const opened = await workspace.open(name);
    const { store } = opened.repository;
    const scope = lockScope(workspace, opened, { store, policy: lockPolicyOf(workspace, name)!, progress });
    const { objects, untilMs, lookedMs } = await extendLocks(opened.repository, scope);
    kept.extended = objects;
    kept.until = new Date(untilMs).toISOString();
    const nowMs = clock.nowMs();
    // A look in what is the future now was made by a clock that was wrong.
    if (lookedMs <= nowMs && nowMs - lookedMs < LOOK_EVERY_MS) return kept;
    const hidden = await hiddenAtOnce(workspace, name);
    // Who could not look leaves it to who can.
    if (hidden === undefined) return kept;
    kept.hidden = hidden.map(({ key }) => key);
    if (kept.hidden.length === 0) await noteLooked(opened.repository, store, nowMs);
    else {
      await opened.ledger.append('lock.hidden', { repository: name, objects: kept.hidden });
      kept.error = hiddenError(name, kept.hidden);
    }
  } catch (error) {
    kept.error = reportable(error, signal);
  } finally {
    progress.finish();
  }
  return kept;
}

/**
 * What is hidden of what a repository is found by: its snapshots, keys and ledger. The rest is for a check to find.
 * @returns undefined where the credentials may not list versions, so that nobody knows
 */
export async function hiddenAtOnce(workspace: Workspace, name: string): Promise<HiddenObject[] | undefined> {
  const policy = lockPolicyOf(workspace, name);
  if (policy === undefined) return [];
  const opened = await workspace.openToRead(name);
  const { store } = opened.repository;
  const { namedAsRemoved } = lockScope(workspace, opened, {
    store,
    policy,
    progress: workspace.environment.progress(name),
  });
  try {
    const versions = await versionsBelow(store, HIDDEN_AT_ONCE);
    return await findHidden(opened.repository, { store, versions, namedAsRemoved });
  } catch (error) {
    if (!isHoldfastError(error, 'permission-denied')) throw error;
    return undefined;
  }
}

/** What is gone is held against the ledger, which takes a request for each of its events. */
const LOOK_EVERY_MS = 60 * 60_000;
/** So many of the objects are named. */
const NAMED_OBJECTS = 3;

function hiddenError(name: string, keys: readonly string[]): HoldfastError {
  const named = keys.slice(0, NAMED_OBJECTS).join(', ');
  const more = keys.length > NAMED_OBJECTS ? ` and ${keys.length - NAMED_OBJECTS} more` : '';
  return new HoldfastError('repository-damaged', `somebody hid objects of ${name}: ${named}${more}`, {
    hint: `Find out who it was. \`holdfast repair ${name}\` brings them back; \`--as-of TIME\` reads the repository as it was.`,
    context: { repository: name, objects: keys.length },
  });
}
