import { type HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { noProgress, type Progress } from '../../foundation/progress.ts';
import { settled } from '../../foundation/promises.ts';
import type { Ledger } from '../../ledger/index.ts';
import {
  findHidden,
  findSuspects,
  type Healer,
  isBulk,
  LEDGER_PREFIX,
  lockIn,
  objectsIn,
  type Repository,
  readAuthentic,
  type Suspect,
  versionsByKey,
} from '../../repository/index.ts';
import { attemptEach } from '../attempt-each.ts';
import { lockPolicyOf, lockScope } from '../object-lock/lock-scope.ts';
import { bringBack, OLDER_VERSION } from '../object-lock/reveal-hidden.ts';
import { isUnwritable } from '../unwritable.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import type { Healing } from './healed-object.ts';
import { namedAsRemoved } from './removals.ts';

/** So long what no copy has is not looked for again. */
const SOUGHT_AGAIN_MS = 60_000;

/** The other copies of a repository, by name: its mirrors, or of a mirror its primary and the others of that. */
export function copiesOf(workspace: Workspace, name: string): string[] {
  const of = workspace.plan.mirrors.get(name)?.of;
  const all = of === undefined ? workspace.mirrorsOf(name) : [of, ...workspace.mirrorsOf(of)];
  return all.filter((each) => each !== name);
}

/**
 * Gives a repository what takes the place of objects that a read finds missing or damaged: it is taken from a mirror, put
 * back, and recorded.
 * @param told hears of each
 */
export function createHealer(
  workspace: Workspace,
  { name, repository, ledger }: { name: string; repository: Repository; ledger: Ledger },
  told: (healing: Healing) => void,
): Healer {
  let turn: Promise<unknown> = Promise.resolve();
  const { clock } = workspace.environment;
  /** When it was found of an object that no copy has it. */
  const soughtMs = new Map<string, number>();
  const heal: Healer = async (key, reason) => {
    // All blobs of a lost pack are missed one after the other, and to look everywhere takes reading whole packs.
    if (clock.monotonicMs() - (soughtMs.get(key) ?? Number.NEGATIVE_INFINITY) < SOUGHT_AGAIN_MS) return undefined;
    try {
      // Somebody else may have put it back by now; and what came wrong over the line comes right the second time.
      return await readAuthentic(repository, repository.store, key);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
    }
    if (reason.code === 'object-missing') {
      // What was to be removed is not missing.
      const named = await namedAsRemoved(workspace, { repository, ledger }, [key]);
      if (named.has(key)) return undefined;
    }
    const behind = await healFromVersions(workspace, { name, repository, ledger }, key);
    if (behind !== undefined) {
      told(behind);
      return readAuthentic(repository, repository.store, key);
    }
    const found = await findCopy(workspace, { name, repository }, key);
    if (found === undefined) {
      soughtMs.set(key, clock.monotonicMs());
      return undefined;
    }
    soughtMs.delete(key);
    told(await putBack({ name, repository, ledger }, { key, reason }, found));
    return found.bytes;
  };
  return (key, reason) => {
    // One after the other: many blobs of one pack are found damaged at once.
    const healed = turn.then(() => heal(key, reason));
    turn = settled(healed);
    return healed;
  };
}

/** What somebody hid is still there, where objects are locked. Credentials that may not look find nothing. */
async function healFromVersions(
  workspace: Workspace,
  { name, repository, ledger }: { name: string; repository: Repository; ledger: Ledger },
  key: string,
): Promise<Healing | undefined> {
  const policy = lockPolicyOf(workspace, name);
  if (policy === undefined) return undefined;
  const opened: OpenedRepository = { name, repository, ledger, onHealed: new Set() };
  const { store } = repository;
  const { namedAsRemoved: isNamed } = lockScope(workspace, opened, { store, policy, progress: noProgress });
  try {
    const versions = await versionsByKey(lockIn(store), key);
    const [hidden] = await findHidden(repository, { store, versions, namedAsRemoved: isNamed });
    if (hidden === undefined) return undefined;
    const healing = await bringBack(opened, hidden);
    await ledger.append('object.healed', { repository: name, object: key, from: OLDER_VERSION, reason: healing.note });
    return healing;
  } catch (error) {
    if (!isUnwritable(error)) throw error;
    return undefined;
  }
}

interface Found {
  from: string;
  bytes: Uint8Array;
}

async function findCopy(
  workspace: Workspace,
  { name, repository }: { name: string; repository: Repository },
  key: string,
): Promise<Found | undefined> {
  for (const from of copiesOf(workspace, name)) {
    try {
      const { store } = await workspace.storeOf(from);
      return { from, bytes: await readAuthentic(repository, store, key) };
    } catch (error) {
      // One that cannot be had there may be had from the next; when none has it, what was wrong at first is thrown.
      if (!isHoldfastError(error)) throw error;
    }
  }
  return undefined;
}

/** @param about without `ledger`, it is for the caller to record it */
async function putBack(
  { name, repository, ledger }: { name: string; repository: Repository; ledger?: Ledger },
  { key, reason }: { key: string; reason: HoldfastError },
  { from, bytes }: Found,
): Promise<Healing> {
  const what = `${key} of ${name} was taken from ${from}, since ${reason.message}`;
  try {
    await repository.store.put(key, bytes, { bulk: isBulk(repository, key, bytes) });
    await ledger?.append('object.healed', { repository: name, object: key, from, reason: reason.message });
    return { object: key, from, putBack: true, note: `${what}; it was put back` };
  } catch (error) {
    // What was read is right all the same.
    if (!isUnwritable(error)) throw error;
    return { object: key, from, putBack: false, note: `${what}; it could not be put back: ${error.message}` };
  }
}

/** The keys of what other copies of a repository hold. One that is away keeps nobody from the others. */
async function objectsElsewhere(workspace: Workspace, name: string, progress: Progress): Promise<Set<string>> {
  const { results, failures } = await attemptEach(workspace, copiesOf(workspace, name), async (copy) =>
    objectsIn((await workspace.storeOf(copy)).store),
  );
  for (const { of, error } of failures) progress.note(`nothing is taken from ${of}: ${error.message}`);
  return new Set(results.flatMap((keys) => [...keys]));
}

/**
 * Puts back all that is missing or damaged in a repository and whole in another copy of it; every byte is read. In a mirror
 * only what is damaged is looked for: what is missing comes with the next run.
 * @returns what was put back; what no copy has stays for a check to find
 */
export async function healRepository(
  workspace: Workspace,
  opened: OpenedRepository,
  progress: Progress,
): Promise<Healing[]> {
  const { name, repository } = opened;
  if (copiesOf(workspace, name).length === 0) return [];
  const { signal } = workspace.environment;
  const isMirror = workspace.plan.mirrors.has(name);
  const elsewhere = isMirror ? new Set<string>() : await objectsElsewhere(workspace, name, progress);
  const suspects = await findSuspects(repository, elsewhere, { progress, signal });
  const ledger = (await opened.primaryLedger?.()) ?? opened.ledger;
  const healings: Healing[] = [];
  const heal = async ({ key, reason }: Suspect, recorded: { ledger?: Ledger }): Promise<Healing | undefined> => {
    signal.throwIfAborted();
    const found = await findCopy(workspace, opened, key);
    const healing = found && (await putBack({ name, repository, ...recorded }, { key, reason }, found));
    if (healing !== undefined) healings.push(healing);
    return healing;
  };
  // The ledger first, and all of it before it is written to: it says what was to be removed.
  const isEvent = ({ key }: Suspect): boolean => key.startsWith(LEDGER_PREFIX);
  for (const suspect of suspects.filter(isEvent)) await heal(suspect, {});
  for (const { object, from, putBack: isBack } of [...healings]) {
    const reason = 'it was damaged or missing';
    if (isBack) await ledger.append('object.healed', { repository: name, object, from, reason });
  }
  const others = suspects.filter((suspect) => !isEvent(suspect));
  const missing = others.filter(({ reason }) => reason.code === 'object-missing').map(({ key }) => key);
  const named = missing.length === 0 ? new Set<string>() : await namedAsRemoved(workspace, opened, missing);
  for (const suspect of others) if (!named.has(suspect.key)) await heal(suspect, { ledger });
  return healings;
}
