import { openTokens } from '../tokens/tokens.ts';
import type { Workspace } from '../workspace.ts';
import {
  acknowledgementKey,
  acknowledgeUrl,
  type SignedAcknowledgement,
  verifyAcknowledgement,
} from './acknowledgement.ts';

/** An alert may be read days after it was sent. */
const VALID_MS = 7 * 24 * 60 * 60_000;

/** Makes the link by which an alert is acknowledged. @param base where the API is reached. @throws what keeps the repository from being opened */
export async function acknowledgementLinks(workspace: Workspace, base: string): Promise<(alert: string) => string> {
  const key = acknowledgementKey((await openTokens(workspace)).repository);
  return (alert) => acknowledgeUrl(base, alert, key, workspace.environment.clock.nowMs() + VALID_MS);
}

/** Whether a link is one of `acknowledgementLinks`, and its time has not passed. @throws what keeps the repository from being opened */
export async function checkAcknowledgement(
  workspace: Workspace,
  signed: SignedAcknowledgement,
): Promise<'valid' | 'expired' | 'forged'> {
  const key = acknowledgementKey((await openTokens(workspace)).repository);
  return verifyAcknowledgement(signed, key, workspace.environment.clock.nowMs());
}
