import { hostname } from 'node:os';
import type { Workspace } from '../workspace.ts';

/**
 * Removes what proofs left on this machine for somebody to look at, once its time is over, whoever left it and whatever
 * became of that process: the places' own names say until when they stay.
 * @returns where they were
 * @throws sandbox-failed where one cannot be removed
 */
export async function removeKept(workspace: Workspace): Promise<string[]> {
  const { clock, signal, adapters } = workspace.environment;
  const sandbox = await adapters.createSandbox({ clock, signal });
  const removed = (await sandbox.removeExpired?.()) ?? [];
  const [home] = workspace.homeNames;
  if (removed.length === 0 || home === undefined) return removed;
  const { ledger } = await workspace.open(home);
  for (const place of removed) await ledger.append('sandbox.removed', { place, host: hostname() });
  return removed;
}
