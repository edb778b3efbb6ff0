import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { buildsOnNothing, Recorder } from '../../ledger/index.ts';
import { listSnapshots, measureLag, readEpoch, succeeds, writeNextEpoch } from '../../repository/index.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

export interface Promoted {
  /** What was a mirror, and of what. */
  repository: string;
  was: string;
  store: string;
  /** How often a mirror was made the primary by now. */
  epoch: number;
  snapshots: number;
  /** What the old primary has and this one lacks; undefined when the old one cannot be looked at. */
  behind?: { snapshots: number; logParts: number; lagMs: number };
  notes: string[];
}

/**
 * Makes a mirror the primary. From then on it has a higher epoch than what it was a copy of, so that no run brings that one
 * over it; the plan is still to be changed by a person. Nothing is removed anywhere, and doing it again does no harm.
 * @throws bad-usage for what is no mirror; no-repository, wrong-password, repository-damaged when it does not open
 */
export async function promote(workspace: Workspace, name: string): Promise<Promoted> {
  const mirror = workspace.plan.mirrors.get(workspace.repositoryName(name));
  if (mirror === undefined) {
    throw new HoldfastError('bad-usage', `${name} is no mirror: the plan has it as a repository of its own already`, {
      hint: `Mirrors of the plan: ${[...workspace.plan.mirrors.keys()].join(', ') || 'none'}.`,
    });
  }
  const { repository, ledger } = await workspace.openToRead(name);
  // What cannot be read as a repository must not become one.
  const snapshots = await listSnapshots(repository);
  await ledger.read();
  const notes: string[] = [];
  const old = await openIfPossible(workspace, mirror.of, notes);
  const { clock } = workspace.environment;
  const behind = old && (await measureLag(old.repository.store, repository.store, clock.nowMs()));
  const [own, before] = [await readEpoch(repository), old === undefined ? [] : await readEpoch(old.repository)];
  // What it was a copy of may have been made the primary itself since, and is succeeded as that.
  const { length: epoch } = await writeNextEpoch(repository, succeeds(before, own) ? before : own);
  await ledger.append('repository.promoted', { repository: name, was: mirror.of, epoch });
  notes.push(...(await takeWaiting(workspace, mirror.of, { name, repository, ledger })));
  return {
    repository: name,
    was: mirror.of,
    store: repository.store.location,
    epoch,
    snapshots: snapshots.length,
    ...(behind && { behind }),
    notes,
  };
}

/**
 * What was begun on this machine while the old primary was away, such as the record of a rescue, waits for nothing else any more.
 * What builds on events that the old primary may have alone stays where it is: here it would be a gap.
 */
async function takeWaiting(
  workspace: Workspace,
  was: string,
  { name, repository, ledger }: Pick<OpenedRepository, 'name' | 'repository' | 'ledger'>,
): Promise<string[]> {
  const journal = workspace.journal(was);
  if (journal === undefined) return [];
  const open = async () => ({ ledger, conditionalPut: (await repository.store.capabilities()).conditionalPut });
  const recorder = new Recorder([{ name, journal, open }], workspace.environment.clock);
  const { flushed, waiting, errors } = await recorder.flush(buildsOnNothing);
  return [
    ...(flushed > 0 ? [`what waited on this machine for ${was} is recorded in ${name}: ${events(flushed)}`] : []),
    ...(waiting > 0 ? [`${events(waiting)} for ${was} still on this machine, in ${journal.directory}`] : []),
    ...errors.map(({ message }) => message),
  ];
}

function events(count: number): string {
  return count === 1 ? '1 event' : `${count} events`;
}

async function openIfPossible(
  workspace: Workspace,
  name: string,
  notes: string[],
): Promise<OpenedRepository | undefined> {
  try {
    const opened = await workspace.open(name);
    await opened.ledger.read();
    return opened;
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    notes.push(`what ${name} has and the mirror lacks is not known: ${error.message}`);
    return undefined;
  }
}
