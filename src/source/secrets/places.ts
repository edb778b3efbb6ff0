import type { NamedPaths } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { type Gathered, nothingGathered } from './entries.ts';
import { type CloudPlace, gatherCloud } from './gather-cloud.ts';
import { gatherDirectory, gatherFiles } from './gather-files.ts';
import type { Variables } from './secret-manager.ts';

/** Where secrets lie, with all references resolved. */
export interface Places {
  gcp?: CloudPlace;
  files?: string[];
  directory?: string;
  env?: string[];
}

/** Reads all secrets there are, or those that are wanted. @throws source-refused, source-unreachable of a whole project; the reason of the signal */
export async function gather(
  { gcp, files, directory, env }: Places,
  { wanted, ...context }: { variables: Variables; signal: AbortSignal; wanted?: NamedPaths | undefined },
): Promise<Gathered> {
  const gathered = nothingGathered(wanted);
  if (gcp !== undefined) await gatherCloud(gathered, gcp, context);
  if (files !== undefined) await gatherFiles(gathered, files);
  if (directory !== undefined) await gatherDirectory(gathered, directory);
  for (const name of env ?? []) gatherVariable(gathered, name, context.variables[name]);
  context.signal.throwIfAborted();
  return gathered;
}

function gatherVariable(gathered: Gathered, name: string, value: string | undefined): void {
  const { entries, problems, counts, isWanted } = gathered;
  if (!isWanted(`env/${name}`)) return;
  if (value === undefined) {
    const hint = `Set ${name} where backups run.`;
    problems.push({ item: name, error: new HoldfastError('path-missing', 'is not set in the environment', { hint }) });
    return;
  }
  entries.set(`env/${name}`, { content: Buffer.from(value), modifiedMs: 0 });
  counts.variables++;
}
