import { constants, type Stats } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { byteString, byteStringOfText, bytesOf, displayName } from '../../format/index.ts';
import { HoldfastError, isHoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { type Gathered, refuseLarge } from './entries.ts';

/** Reads these files, each under `files/` and its own path. A link is read as the file that it leads to. */
export async function gatherFiles(gathered: Gathered, paths: readonly string[]): Promise<void> {
  for (const path of paths) await gatherOne(gathered, byteStringOfText(path));
}

/**
 * Reads all files of a directory, and of those in it. A link to a file of the same directory is read as that file, as a
 * secret that is mounted into a container is; what leads out of it is a problem.
 */
export async function gatherDirectory(gathered: Gathered, path: string): Promise<void> {
  const directory = byteStringOfText(path);
  try {
    const root = byteString(await realpath(bytesOf(directory), { encoding: 'buffer' }));
    await gatherBelow(gathered, directory, root);
  } catch (error) {
    recordProblem(gathered, directory, error);
  }
}

async function gatherBelow(gathered: Gathered, directory: string, root: string): Promise<void> {
  const entries = await readdir(bytesOf(directory), { withFileTypes: true, encoding: 'buffer' });
  for (const entry of entries) {
    const path = `${directory}/${byteString(entry.name)}`;
    try {
      if (entry.isDirectory()) await gatherBelow(gathered, path, root);
      else if (entry.isSymbolicLink()) await gatherLink(gathered, path, root);
      else await gatherOne(gathered, path);
    } catch (error) {
      recordProblem(gathered, path, error);
    }
  }
}

async function gatherLink(gathered: Gathered, path: string, root: string): Promise<void> {
  if (!gathered.isWanted(`files${path}`)) return;
  const target = byteString(await realpath(bytesOf(path), { encoding: 'buffer' }));
  if (!target.startsWith(`${root}/`)) {
    throw new HoldfastError(
      'source-unsupported',
      'is a symbolic link that leads out of the directory, and was not backed up',
      {
        hint: 'Name the file that it leads to under `files` of the source.',
      },
    );
  }
  // What a directory holds is read where it lies.
  if (!(await stat(bytesOf(path))).isDirectory()) await gatherOne(gathered, path);
}

async function gatherOne(gathered: Gathered, path: string): Promise<void> {
  if (!gathered.isWanted(`files${path}`)) return;
  try {
    const { content, stats } = await readSecretFile(path);
    const owner = { uid: stats.uid, gid: stats.gid };
    gathered.entries.set(`files${path}`, { content, modifiedMs: Math.floor(stats.mtimeMs), owner });
    gathered.counts.files++;
  } catch (error) {
    recordProblem(gathered, path, error);
  }
}

async function readSecretFile(path: string): Promise<{ content: Buffer; stats: Stats }> {
  // Not blocking, so that a pipe nobody writes to does not hang us; everything is asked of the one open file.
  const file = await open(bytesOf(path), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new HoldfastError('source-unsupported', 'is not a regular file, and was not backed up');
    refuseLarge(stats.size);
    return { content: await file.readFile(), stats };
  } finally {
    await file.close();
  }
}

/** What concerns one file makes the backup partial. */
function recordProblem({ problems }: Gathered, path: string, error: unknown): void {
  const item = displayName(path);
  if (isHoldfastError(error)) {
    problems.push({ item, error });
    return;
  }
  const code = systemCode(error);
  if (code === undefined) throw error;
  const [kind, message] =
    code === 'ENOENT'
      ? (['path-missing', 'does not exist'] as const)
      : (['permission-denied', `cannot be read: ${messageOf(error)}`] as const);
  problems.push({ item, error: new HoldfastError(kind, message, { cause: error }) });
}
