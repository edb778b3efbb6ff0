/** The corruption that each drill plants, and verification has to find: without it a green drill would mean nothing. */
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { validateAt, Workspace } from '../../operations/index.ts';
import { type ByteRange, DecoratedStore, type Use } from '../../store/index.ts';
import type { StepResult } from '../step.ts';

/** What a restore of the drill brought back. */
export interface Copy {
  source: string;
  /** A directory or a URL. */
  to: string;
  snapshot: string;
}

/** A store whose packs have rotten, in one bit each. What is stored stays as it is. */
class RottenStore extends DecoratedStore {
  override async get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array> {
    const bytes = await super.get(key, range, use);
    if (!key.startsWith('data/') || bytes.length === 0) return bytes;
    const rotten = Uint8Array.from(bytes);
    rotten[rotten.length >> 1]! ^= 1;
    return rotten;
  }
}

/**
 * Holds a copy against its backup, read from packs that are damaged on their way; and where the copy is a directory, once more
 * with a byte of one of its files changed.
 * @throws validation-failed where one of both is not found
 */
export async function plantAndFind(workspace: Workspace, copies: readonly Copy[]): Promise<StepResult> {
  const [copy] = copies;
  if (copy === undefined) {
    const summary = 'nothing was restored, so nothing could be planted: this drill shows nothing of verification';
    return { outcome: 'partial', summary, outputs: {} };
  }
  const { source } = copy;
  await findInPacks(workspace, copy);
  const file = await findInFile(workspace, copy);
  const also = file === undefined ? '' : ', and a byte of one of its restored files';
  const summary = `a bit of each pack of ${source} was changed on its way${also}: verification found it`;
  return { outcome: 'done', summary, outputs: {} };
}

/** What else is wrong with a copy by now, which steps have worked on, does not count. */
async function findInPacks(workspace: Workspace, copy: Copy): Promise<void> {
  try {
    await failuresOf(rotten(workspace), copy);
  } catch (error) {
    if (isHoldfastError(error, 'repository-damaged')) return;
    throw error;
  }
  throw notFound(copy);
}

/** @returns the file that was changed; undefined where the copy has none with content */
async function findInFile(workspace: Workspace, copy: Copy): Promise<string | undefined> {
  if (!copy.to.startsWith('/')) return undefined;
  const before = await failuresOf(workspace, copy);
  // What a step of the drill has changed is known to differ already.
  const path = await firstFile(copy.to, (name) => !before.includes(name));
  if (path === undefined) return undefined;
  await changeByte(path);
  if ((await failuresOf(workspace, copy)) === before) throw notFound(copy);
  return path;
}

async function failuresOf(workspace: Workspace, { source, to: at, snapshot }: Copy): Promise<string> {
  const { checks } = await validateAt(workspace, { source, at, snapshot });
  return JSON.stringify(checks.filter(({ result }) => result === 'failed'));
}

async function firstFile(directory: string, isFit: (name: string) => boolean): Promise<string | undefined> {
  const entries = await readdir(directory, { withFileTypes: true });
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isFile() && isFit(entry.name) && (await stat(path)).size > 0) return path;
    const inside = entry.isDirectory() ? await firstFile(path, isFit) : undefined;
    if (inside !== undefined) return inside;
  }
  return undefined;
}

/** Only the content is another one then: neither the size nor the times tell of it. */
async function changeByte(path: string): Promise<void> {
  const { atime, mtime } = await stat(path);
  const file = await open(path, 'r+');
  try {
    const byte = new Uint8Array(1);
    await file.read(byte, 0, 1, 0);
    await file.write(Uint8Array.of(byte[0]! ^ 1), 0, 1, 0);
    await file.utimes(atime, mtime);
  } finally {
    await file.close();
  }
}

function notFound({ source, snapshot }: Copy): HoldfastError {
  return new HoldfastError('validation-failed', `a planted corruption of ${source} was not found by verification`, {
    hint: 'Nothing that this drill verified can be relied on: report this as a fault of Holdfast.',
    context: { source, snapshot },
  });
}

/** The same repositories, with nothing between them and the fault: no cache, and nothing that would heal it. */
function rotten({ plan, environment }: Workspace): Workspace {
  const { cached: _, ...adapters } = environment.adapters;
  const openStore: typeof adapters.openStore = async (...given) => new RottenStore(await adapters.openStore(...given));
  const { cacheDirectory: __, ...bare } = environment;
  return new Workspace({ plan: { ...plan, mirrors: new Map() } }, { ...bare, adapters: { ...adapters, openStore } });
}
