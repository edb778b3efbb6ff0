import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import type { Workspace } from '../../../operations/index.ts';
import { resolveSecret, type StepDocument, type TextOrReference } from '../../../plan/index.ts';
import type { PostgresFailover, RedisFailover, RedisServerState } from '../../../source/index.ts';
import type { StepContext } from '../../step.ts';

/** For what is done alike in several kinds of steps. */
export type FailoverContext = Omit<StepContext, 'step'> & { step: StepDocument };

/** How long a server that does not answer is waited for. */
export const REACH_TIMEOUT_MS = 15_000;
/** How long one that answers may take to be fenced: for a minute it may let people be silent. */
export const FENCE_TIMEOUT_MS = 120_000;

export async function postgresFailoverOf({ environment }: Workspace): Promise<PostgresFailover> {
  return (await environment.adapters.postgresFailover?.()) ?? notHere();
}

export async function redisFailoverOf({ environment }: Workspace): Promise<RedisFailover> {
  return (await environment.adapters.redisFailover?.()) ?? notHere();
}

function notHere(): never {
  throw new HoldfastError('internal', 'there is nothing that a failover could be done with');
}

/** The URL that a step names, or else that of the plan. @throws secret-unavailable */
export function urlOf(
  workspace: Workspace,
  given: TextOrReference | undefined,
  planned: TextOrReference,
): Promise<string> {
  return resolveSecret(given ?? planned, workspace.references);
}

/** Whether two looks at masters were at one server: each master has a history of its own. */
export function isSameServer(
  one: Pick<RedisServerState, 'isReplica' | 'replicationId'>,
  other: Pick<RedisServerState, 'isReplica' | 'replicationId'>,
): boolean {
  return !one.isReplica && !other.isReplica && one.replicationId === other.replicationId;
}

/** The URL of a source's server, as the plan has it. @throws unknown-source, bad-usage */
export function serverOf(workspace: Workspace, name: string, type: 'postgres' | 'redis'): TextOrReference {
  const [source] = workspace.sources([name]);
  if (source?.type === type) return source.url;
  throw new HoldfastError('bad-usage', `${name} is a source of the type ${source?.type}, and the step is for ${type}`, {
    hint: 'Let the step name another source.',
  });
}

/** Whether a server, or the way to it, is gone: what could not be done to it may be possible later. */
export function isOutOfReach(error: unknown): boolean {
  return ['source-unreachable', 'source-lost', 'timed-out'].some((code) => isHoldfastError(error, code as 'timed-out'));
}

/** Does something with a server that may be gone, and does not wait for long. @returns undefined where it is out of reach */
export async function ifReached<T>(
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  timeoutMs = REACH_TIMEOUT_MS,
): Promise<T | undefined> {
  const expired = AbortSignal.timeout(timeoutMs);
  try {
    return await work(AbortSignal.any([signal, expired]));
  } catch (error) {
    signal.throwIfAborted();
    if (expired.aborted || isOutOfReach(error)) return undefined;
    throw error;
  }
}

/** What an obstacle is called when a look beforehand fails. */
export function obstacleOf(error: unknown, signal: AbortSignal): string {
  signal.throwIfAborted();
  if (!isHoldfastError(error)) throw error;
  return error.message;
}
