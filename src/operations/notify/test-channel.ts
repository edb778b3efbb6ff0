import { hostname } from 'node:os';
import type { HoldfastError } from '../../foundation/errors.ts';
import { reportable, type Workspace } from '../workspace.ts';

/**
 * Sends a test to a channel of the plan, once; a heartbeat is asked as it is while all is well.
 * @returns why it was not delivered; undefined once it is
 * @throws unknown-channel, the reason of the signal
 */
export async function testChannel(workspace: Workspace, name: string): Promise<HoldfastError | undefined> {
  const { plan, environment } = workspace;
  const { signal } = environment;
  const text = `This is a test of the channel "${name}" of the plan "${plan.name}", sent from ${hostname()}. Nothing is wrong.`;
  try {
    const channel = await workspace.createChannel(name);
    await (channel.beat?.(signal) ?? channel.send({ kind: 'test', plan: plan.name, text }, signal));
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return reportable(error, signal);
  }
}
