/** The corruption that each drill plants, and verification has to find: without it a green drill would mean nothing. */
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { validateAt, Workspace } from '../../operations/index.ts';
import { hasLog } from '../../plan/index.ts';
import type { ServerCopy } from '../../sandbox/index.ts';
import { type ByteRange, DecoratedStore, type Use } from '../../store/index.ts';
import type { StepResult } from '../step.ts';

/** What a restore of the drill brought back, or what a copy of a server has. */
export interface Copy {
  source: string;
  /** A directory or a URL. */
  to: string;
  /** Which recovery point it is, as far as that is known. */
  snapshot?: string;
  time?: string;
  /** Not all of it: then only the packs are tried. */
  isPart?: boolean;
  /** Of a server of PostgreSQL: what it can be stopped and started by. */
  server?: () => Promise<ServerCopy>;
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
 * Holds the first copy against its backup, read from packs that are damaged on their way; then all of them, each once more with
 * one thing changed in it.
 * @param areTouched programs have worked on the copies, which need not be what they were
 * @throws validation-failed where one of these is not found
 */
export async function plantAndFind(
  workspace: Workspace,
  { copies, areTouched }: { copies: readonly Copy[]; areTouched: boolean },
): Promise<StepResult> {
  const [copy] = copies;
  if (copy === undefined) {
    const summary = 'nothing was restored, so nothing could be planted: this drill shows nothing of verification';
    return { outcome: 'partial', summary, outputs: {} };
  }
  await findInPacks(workspace, copy);
  const found = [`a bit of each pack of ${copy.source} on its way`];
  for (const each of copies.filter(({ isPart }) => isPart !== true))
    found.push(...(await findInCopy(workspace, each, areTouched)));
  return { outcome: 'done', summary: `was changed, and verification found it: ${found.join('; ')}`, outputs: {} };
}

/** @returns what was changed; nothing where the copy has nothing that could be */
async function findInCopy(workspace: Workspace, copy: Copy, isTouched: boolean): Promise<string[]> {
  if (copy.to.startsWith('/')) return findInFile(workspace, copy);
  const planned = workspace.sources([copy.source])[0]!;
  const source = await workspace.createSource(planned);
  if (source.damage === undefined) return [];
  // To look at it takes as long as to bring it back: what nobody has changed is as it was restored.
  const before = isTouched ? await failuresOf(workspace, copy) : NO_FAILURES;
  const server = await copy.server?.();
  const url = server?.url ?? copy.to;
  const { signal } = workspace.environment;
  const target = { kind: 'database', url, label: copy.source, sandbox: true } as const;
  const damaged = await source.damage(target, {
    signal,
    whileStopped: async (work) => {
      if (server === undefined) throw new HoldfastError('internal', `${copy.source} cannot be stopped`);
      await server.kill();
      await work(server.directory);
      await server.start();
    },
  });
  if (damaged === undefined) return [];
  const found = await foundIn(workspace, { ...copy, to: url }, { items: damaged.items, before });
  if (found === 'missed') throw notFound(copy);
  return found === 'found' ? [damaged.what] : [];
}

interface Planted {
  /** What is changed by it: a table, a key. */
  items: readonly string[];
  /** What verification found before. */
  before: string;
}

async function foundIn(workspace: Workspace, copy: Copy, planted: Planted): Promise<'found' | 'missed' | 'unknown'> {
  try {
    return judge(planted, await failuresOf(workspace, copy));
  } catch (error) {
    if (isUnreadable(error)) return 'found';
    throw error;
  }
}

/**
 * Whether verification found what was planted: `unknown` where it found so much else, since programs have changed it, that
 * nobody can tell. Pure.
 * @param after what it finds by now
 */
export function judge({ items, before }: Planted, after: string): 'found' | 'missed' | 'unknown' {
  const own = items.filter((item) => !before.includes(item));
  if (own.some((item) => after.includes(item))) return 'found';
  return after === NO_FAILURES || (after === before && own.length > 0) ? 'missed' : 'unknown';
}

/** Source: PostgreSQL's documentation, "PostgreSQL Error Codes": data exceptions, and internal errors. */
const SAID_OF_DATA = /^(22|XX)/;

/** What cannot even be read is found as well; that nobody answers says nothing of what is there. */
export function isUnreadable(error: unknown): boolean {
  return isHoldfastError(error, 'target-failed') && SAID_OF_DATA.test(String(error.context['sqlState']));
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

/** @returns what was changed; nothing where the copy has no file with content */
async function findInFile(workspace: Workspace, copy: Copy): Promise<string[]> {
  const before = await failuresOf(workspace, copy);
  // What a step of the drill has changed is known to differ already.
  const path = await firstFile(copy.to, (name) => !before.includes(name));
  if (path === undefined) return [];
  await changeByte(path);
  if ((await failuresOf(workspace, copy)) === before) throw notFound(copy);
  return [`a byte of one of the restored files of ${copy.source}`];
}

const NO_FAILURES = '[]';

async function failuresOf(workspace: Workspace, { source, to: at, snapshot, time }: Copy): Promise<string> {
  const planned = workspace.plan.sources.get(source);
  const isMoment = time !== undefined && (snapshot === undefined || (planned !== undefined && hasLog(planned)));
  const point = { ...(snapshot !== undefined && { snapshot }), ...(isMoment && { moment: time }) };
  const { checks } = await validateAt(workspace, { source, at, ...point });
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
