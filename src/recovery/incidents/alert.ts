import { HoldfastError } from '../../foundation/errors.ts';
import { listAlerts, type Workspace } from '../../operations/index.ts';

/** The alert that led to an incident. @param id may be shortened. @throws unknown-alert */
export async function alertBehind(workspace: Workspace, id: string): Promise<{ id: string; sinceMs: number }> {
  const { alerts } = await listAlerts(workspace, { all: true });
  const matching = id === '' ? [] : alerts.filter((each) => each.id.startsWith(id));
  if (matching.length === 1) return { id: matching[0]!.id, sinceMs: Date.parse(matching[0]!.since) };
  throw new HoldfastError(
    'unknown-alert',
    `no alert, or more than one, has an id that begins with ${JSON.stringify(id)}`,
    {
      hint: 'See `holdfast alert list --all`.',
    },
  );
}
