import { randomBytes } from 'node:crypto';
import type { Group } from '../../plan/index.ts';
import { type BackupOptions, backup, type SourceOutcome } from '../backup/backup.ts';
import type { Workspace } from '../workspace.ts';
import { coordinatedTag } from './coordinated.ts';
import { groupOutcome } from './group-outcome.ts';

export interface GroupCaptured {
  group: string;
  /** What the snapshots' common tag ends with. */
  run: string;
  /** In the order of their importance. */
  sources: SourceOutcome[];
  /** From the first moment that one of them is of to the last. */
  spreadMs: number;
}

/**
 * Backs up all sources of a group, beginning all of them together, with a tag in common: a restore of the group prefers them.
 * @throws unknown-group
 */
export async function backupGroup(
  workspace: Workspace,
  name: string,
  options: Pick<BackupOptions, 'readAll'> = {},
): Promise<GroupCaptured> {
  const group = workspace.group(name);
  const run = randomBytes(4).toString('hex');
  const together = { tag: coordinatedTag(name, run) };
  const sources = await backup(workspace, group.sources, { ...options, together });
  const timesMs = sources.flatMap((each) => (each.outcome === 'failed' ? [] : [Date.parse(each.time)]));
  const spreadMs = timesMs.length === 0 ? 0 : Math.max(...timesMs) - Math.min(...timesMs);
  const captured = { group: name, run, sources, spreadMs };
  await record(workspace, group, captured);
  return captured;
}

async function record(workspace: Workspace, group: Group, { run, sources, spreadMs }: GroupCaptured): Promise<void> {
  const kept = sources.filter((each) => each.outcome !== 'failed');
  const event = {
    ...{ group: group.name, run, spreadMs },
    sources: sources.map((each) =>
      each.outcome === 'failed'
        ? { source: each.source, code: each.error.code }
        : { source: each.source, snapshot: each.snapshot, time: each.time },
    ),
    outcome: groupOutcome(sources),
  };
  for (const repository of new Set(kept.map((each) => each.repository))) {
    await (await workspace.open(repository)).ledger.append('group.captured', event);
  }
}
