import { isHoldfastError } from '../../foundation/errors.ts';
import type { ChannelPlan } from '../../plan/index.ts';
import { type Finding, findingOfError } from '../../source/index.ts';
import { testChannel } from '../notify/test-channel.ts';
import type { Workspace } from '../workspace.ts';

export interface ChannelDiagnosis {
  channel: string;
  type: ChannelPlan['type'];
  findings: Finding[];
}

/** Whether each channel of the plan can be told of alerts. @param sendTest whether a test is sent to each */
export function examineChannels(
  workspace: Workspace,
  { sendTest }: { sendTest: boolean },
): Promise<ChannelDiagnosis[]> {
  return Promise.all(
    [...workspace.plan.alerts.channels.values()].map(async ({ name, type }) => ({
      ...{ channel: name, type },
      findings: [await (sendTest ? examineByTest(workspace, name, type) : examine(workspace, name))],
    })),
  );
}

/** What the plan refers to can be read, and is of the right form: nothing is sent. */
async function examine(workspace: Workspace, name: string): Promise<Finding> {
  try {
    await workspace.createChannel(name);
    return {
      level: 'ok',
      about: 'configuration',
      message: 'is complete; `holdfast doctor --send-test` tells whether it answers',
    };
  } catch (error) {
    workspace.environment.signal.throwIfAborted();
    if (isHoldfastError(error)) return findingOfError('configuration', error);
    throw error;
  }
}

async function examineByTest(workspace: Workspace, name: string, type: ChannelPlan['type']): Promise<Finding> {
  const error = await testChannel(workspace, name);
  if (error !== undefined) return findingOfError('test', error);
  return {
    level: 'ok',
    about: 'test',
    message: type === 'heartbeat' ? 'was answered' : 'was taken: see whether it came',
  };
}
