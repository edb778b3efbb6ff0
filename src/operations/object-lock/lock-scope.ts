import { isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { LockPolicy } from '../../plan/index.ts';
import { type ExtendOptions, heldUntilMs, type KeptSnapshots, listSnapshots } from '../../repository/index.ts';
import type { ObjectStore } from '../../store/index.ts';
import { namedAsRemoved } from '../mirrors/removals.ts';
import { decideAll, retainedIn } from '../retain/decide-all.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

/** How the plan has the objects of a repository or mirror locked; undefined where it does not. */
export function lockPolicyOf({ plan }: Workspace, name: string): LockPolicy | undefined {
  return (plan.repositories.get(name) ?? plan.mirrors.get(name))?.lock;
}

/**
 * What looking at the locks of a copy of a repository takes.
 * @param opened the repository, or the mirror itself where that is read
 * @param store where the copy lies
 */
export function lockScope(
  workspace: Workspace,
  opened: OpenedRepository,
  { store, policy, progress }: { store: ObjectStore; policy: LockPolicy; progress: Progress },
): ExtendOptions {
  const { clock, signal } = workspace.environment;
  let snapshots: Promise<KeptSnapshots> | undefined;
  return {
    ...policy,
    ...{ store, clock, signal, progress },
    snapshots: () => {
      snapshots ??= keptSnapshots(workspace, opened);
      return snapshots;
    },
    namedAsRemoved: (keys) => namedAsRemoved(workspace, opened, keys),
  };
}

/** What the plan keeps; all, where the ledger does not tell what was proven. */
async function keptSnapshots(workspace: Workspace, opened: OpenedRepository): Promise<KeptSnapshots> {
  const { plan } = workspace;
  const home = plan.mirrors.get(opened.name)?.of ?? opened.name;
  const all = await listSnapshots(opened.repository, () => {});
  try {
    const decided = (await decideAll(workspace, opened, retainedIn(plan, home))).flatMap(({ snapshots }) => snapshots);
    const going = new Set(decided.flatMap(({ snapshot, reasons }) => (reasons.length === 0 ? [snapshot.id] : [])));
    return { kept: all.filter(({ id }) => !going.has(id)), going };
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    return { kept: all, going: new Set() };
  }
}

/** Until when an object of a copy is held by its lock; undefined where the plan locks nothing there. */
export function holdsOf(
  workspace: Workspace,
  name: string,
  store: ObjectStore,
): ((key: string) => Promise<number | undefined>) | undefined {
  if (lockPolicyOf(workspace, name) === undefined) return undefined;
  return (key) => heldUntilMs(store, key, workspace.environment.clock);
}
