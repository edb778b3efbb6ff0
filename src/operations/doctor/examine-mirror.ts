import { isHoldfastError } from '../../foundation/errors.ts';
import { assertMirrorOf, holdsRepository } from '../../repository/index.ts';
import { type Finding, findingOfError } from '../../source/index.ts';
import type { ObjectStore } from '../../store/index.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { examineUse } from './examine-permissions.ts';

/** Whether a mirror is at its place, is one of its primary, and can be brought up to date. */
export async function examineMirror(workspace: Workspace, name: string): Promise<Finding[]> {
  const { of } = workspace.plan.mirrors.get(name)!;
  try {
    const { store } = await workspace.storeOf(name);
    const isThere = await holdsRepository(store);
    const about = isThere ? await examineCopy(workspace, of, store) : await examineAbsence(workspace, name, store);
    // A directory is made by the first run, and by nobody who only looks.
    if (!isThere && store.lock === undefined) return [about];
    const withoutDeleting = `a run of this mirror does without, and leaves there what ${of} has removed`;
    return [about, ...(await examineUse(workspace, { name, store, withoutDeleting }))];
  } catch (error) {
    workspace.environment.signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    return [findingOfError('mirror', error)];
  }
}

async function examineCopy(workspace: Workspace, of: string, store: ObjectStore): Promise<Finding> {
  const primary = await openedIfItOpens(workspace, of);
  if (primary !== undefined) await assertMirrorOf(primary.repository, store);
  return { level: 'ok', about: 'mirror', message: `there is a copy of ${of} at ${store.location}` };
}

async function examineAbsence(workspace: Workspace, name: string, store: ObjectStore): Promise<Finding> {
  const { of } = workspace.plan.mirrors.get(name)!;
  const primary = await openedIfItOpens(workspace, of);
  const runs = (await primary?.ledger.events({ kinds: ['mirror.finished'] })) ?? [];
  const wasThere = runs.some((event) => event.kind === 'mirror.finished' && event.body.mirror === name);
  if (!wasThere) {
    const message = `nothing is at ${store.location} yet: the next command that changes ${of} makes it a copy`;
    return { level: 'ok', about: 'mirror', message };
  }
  return {
    level: 'missing',
    about: 'mirror',
    message: `nothing is at ${store.location}, where there was a copy of ${of}`,
    mend: {
      place: 'person',
      lines: [
        `Find out what became of it: a disk that is not mounted, say. Where it is lost, \`holdfast replicate ${name}\` copies everything anew.`,
      ],
    },
  };
}

/** What keeps it from being opened is told of the primary. */
async function openedIfItOpens(workspace: Workspace, name: string): Promise<OpenedRepository | undefined> {
  try {
    return await workspace.open(name);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return undefined;
  }
}
