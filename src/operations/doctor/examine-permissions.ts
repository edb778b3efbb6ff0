import { randomBytes } from 'node:crypto';
import { isHoldfastError } from '../../foundation/errors.ts';
import { settled } from '../../foundation/promises.ts';
import { lockIn } from '../../repository/index.ts';
import { type Finding, findingOfError } from '../../source/index.ts';
import { type ObjectLock, type ObjectStore, type ObjectVersion, PROBE_PREFIX } from '../../store/index.ts';
import { lockPolicyOf } from '../object-lock/lock-scope.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

/** For so long an object is locked that shows whether a lock holds. */
const TRIED_FOR_MS = 60_000;
const CONTENT = Buffer.from('doctor');

/**
 * What the credentials may do in a store that knows permissions, and, where the plan has objects locked, what they should
 * not be able to. Small objects are written under `holdfast/probe/`, and removed where that is allowed.
 */
export async function examinePermissions(workspace: Workspace, opened: OpenedRepository): Promise<Finding[]> {
  const { store } = opened.repository;
  if (store.lock === undefined) return [];
  const withoutDeleting = 'backups do without, but not follow, retain, prune and repair';
  return examineUse(workspace, { name: opened.name, store, withoutDeleting });
}

/**
 * The same of any store that there is: whether it can be used as a repository or mirror of the plan.
 * @param about.withoutDeleting what becomes of it where the credentials may not delete
 */
export async function examineUse(
  workspace: Workspace,
  { name, store, withoutDeleting }: { name: string; store: ObjectStore; withoutDeleting: string },
): Promise<Finding[]> {
  const plain = `${PROBE_PREFIX}${randomBytes(8).toString('hex')}/plain`;
  const findings = await Examination.of(async (examination) => {
    await examination.needs('writing objects', () => store.put(plain, CONTENT));
    await examination.needs('reading objects', () => store.get(plain));
    await examination.needs('listing objects', () => first(store.list(PROBE_PREFIX)));
    if (lockPolicyOf(workspace, name) !== undefined) await examineLock(workspace, store, examination);
    await examination.wants(`deleting objects: ${withoutDeleting}`, () => store.delete(plain));
  });
  await settled(store.delete(plain));
  return findings;
}

/** What was found so far. */
class Examination {
  readonly findings: Finding[] = [];

  static async of(work: (examination: Examination) => Promise<void>): Promise<Finding[]> {
    const examination = new Examination();
    await work(examination);
    const allowed = examination.findings.length === 0;
    if (allowed) examination.add('ok', 'all that is needed is allowed');
    return examination.findings;
  }

  add(level: Finding['level'], message: string): void {
    this.findings.push({ level, about: 'permissions', message });
  }

  /** What a backup cannot do without. @returns undefined where it is refused */
  needs<T>(what: string, attempt: () => Promise<T>): Promise<T | undefined> {
    return this.#attempt('missing', what, attempt);
  }

  /** What something else cannot do without. */
  wants<T>(what: string, attempt: () => Promise<T>): Promise<T | undefined> {
    return this.#attempt('warning', what, attempt);
  }

  async #attempt<T>(level: Finding['level'], what: string, attempt: () => Promise<T>): Promise<T | undefined> {
    try {
      return await attempt();
    } catch (error) {
      // What follows from something that was refused before is said there.
      if (isHoldfastError(error, 'object-missing')) return undefined;
      if (!isHoldfastError(error)) throw error;
      const finding = findingOfError('permissions', error);
      this.findings.push({ ...finding, level, message: `${what}: ${finding.message}` });
      return undefined;
    }
  }
}

async function examineLock(workspace: Workspace, store: ObjectStore, examination: Examination): Promise<void> {
  const lock = lockIn(store);
  const state = await examination.wants('looking at the settings of the bucket', () => lock.state());
  if (state?.keepsVersions === false) examination.add('missing', `${store.location} keeps no versions of objects`);
  if (state?.locks === false)
    examination.add('missing', `${store.location} has no object lock, which the plan asks for`);
  if (state?.locks === false) return;
  const key = `${PROBE_PREFIX}${randomBytes(8).toString('hex')}/locked`;
  const untilMs = workspace.environment.clock.nowMs() + TRIED_FOR_MS;
  const retention = { mode: 'governance', untilMs } as const;
  await examination.needs('writing locked objects', () => store.put(key, CONTENT, { retention }));
  const version = await examination.needs('listing versions', () => first(lock.listVersions(key)));
  if (version !== undefined) {
    await examination.needs('making a lock longer', () =>
      lock.extend(version, { ...retention, untilMs: untilMs + 1000 }),
    );
    await examination.wants('looking up a lock', () => lock.lockOf(version));
    await examination.wants('reading a version, as --as-of and repair do', () => lock.getVersion(version));
    await examineBypass(lock, version, examination);
  }
  await settled(store.delete(key));
}

/** Whether a lock holds against these very credentials. */
async function examineBypass(lock: ObjectLock, version: ObjectVersion, examination: Examination): Promise<void> {
  try {
    await lock.removeVersion(version, { bypass: true });
  } catch (error) {
    if (isHoldfastError(error, 'permission-denied')) return;
    throw error;
  }
  const message =
    'the credentials may lift locks before their time (s3:BypassGovernanceRetention): whoever has them can delete backups; take it from them, or lock in mode compliance';
  examination.add('warning', message);
}

async function first<T>(listing: AsyncIterable<T>): Promise<T | undefined> {
  for await (const listed of listing) return listed;
  return undefined;
}
