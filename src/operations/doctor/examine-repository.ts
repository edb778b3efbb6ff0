import { type HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { type Finding, findingOfError } from '../../source/index.ts';
import { hasCheckpoint } from '../ledger/checkpoints.ts';
import { withLock } from '../locked.ts';
import { ledgerStorage, type OpenedRepository, type Workspace } from '../workspace.ts';
import { examinePermissions } from './examine-permissions.ts';

/** Whether a repository of the plan is there, opens with its password, and can be written to. */
export async function examineRepository(workspace: Workspace, name: string): Promise<Finding[]> {
  let opened: OpenedRepository;
  try {
    opened = await workspace.open(name);
  } catch (error) {
    workspace.environment.signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    return [notOpened(error)];
  }
  const message = `${opened.repository.store.location} opens with its password`;
  return [
    { level: 'ok', about: 'repository', message },
    await examineWriting(workspace, opened),
    ...(await examinePermissions(workspace, opened)),
    ...(await examineLedger(workspace, opened)),
  ];
}

/** Of what sources are kept in: what an archive records is little, and of its copies. */
async function examineLedger(workspace: Workspace, opened: OpenedRepository): Promise<Finding[]> {
  if (!workspace.homeNames.includes(opened.name) || !(await hasEvents(opened)) || (await hasCheckpoint(opened)))
    return [];
  const { signingKey } = workspace.plan.ledger;
  return [
    {
      level: 'warning',
      about: 'ledger',
      message: 'no checkpoint was ever made: the newest events of its ledger could be cut, and nobody could tell',
      mend:
        signingKey === undefined
          ? {
              place: 'plan',
              lines: ['ledger: { signingKey: { file: signing.pem }, checkpoints: { schedule: daily } }'],
            }
          : { place: 'shell', lines: ['holdfast ledger checkpoint'] },
    },
  ];
}

async function hasEvents({ repository }: OpenedRepository): Promise<boolean> {
  for await (const _ of ledgerStorage(repository).list()) return true;
  return false;
}

function notOpened(error: HoldfastError): Finding {
  const finding = findingOfError('repository', error);
  // Where a mirror has it, a new one is the last thing to make in its place.
  const isMissing = error.code === 'no-repository' || error.code === 'no-bucket';
  const isToBeMade = isMissing && error.context['mirror'] === undefined;
  return isToBeMade ? { ...finding, mend: { place: 'shell', lines: ['holdfast init'] } } : finding;
}

/** A backup's lock is the least that is ever written. */
async function examineWriting(workspace: Workspace, opened: OpenedRepository): Promise<Finding> {
  try {
    await withLock(workspace, opened, { exclusive: false }, async () => {});
    return { level: 'ok', about: 'writing', message: 'can be written to' };
  } catch (error) {
    workspace.environment.signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    return findingOfError('writing', error);
  }
}
