import { createHmac, randomBytes } from 'node:crypto';
import { formatTimeMs, type NamedPaths, type TreeNode } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { SnapshotReader, SnapshotWriter } from '../../repository/index.ts';
import type { Problem } from '../index.ts';

/** Where secrets lie in a snapshot: `gcp/PROJECT/NAME/versions/1`, `env/NAME`, `files/etc/omni/env`. */
export const DATA = 'data';
/**
 * Random bytes beside them, known to who can open the repository. Ids of trees are shown to people and recorded: without
 * these bytes an id would tell whoever guesses a weak secret that the guess was right.
 */
export const SALT = '.salt';
const SALT_BYTES = 32;
/** Far more than secrets take: whoever has more has named the wrong directory. */
const LARGEST_BYTES = 64 * 1024 * 1024;

const DIRECTORY_MODE = 2 ** 31 + 0o700;
export const FILE_MODE = 0o600;

/** A secret, or what is set of one. */
export interface Entry {
  content: Buffer;
  /** Milliseconds since 1970. */
  modifiedMs: number;
  /** Of a file that has one. */
  owner?: { uid: number; gid: number };
}

/** By paths in the snapshot, byte strings without a slash before them. */
export type Entries = ReadonlyMap<string, Entry>;

/** What was found where secrets are looked for. */
export interface Gathered {
  entries: Map<string, Entry>;
  problems: Problem[];
  /** Whether a secret is to be read, by where it would lie in a snapshot; of one that is not, nothing is said. */
  isWanted: (path: string) => boolean;
  counts: { secrets: number; versions: number; files: number; variables: number; disabled: number; destroyed: number };
}

/** @param wanted all, when left out */
export function nothingGathered(wanted?: NamedPaths): Gathered {
  const counts = { secrets: 0, versions: 0, files: 0, variables: 0, disabled: 0, destroyed: 0 };
  return { entries: new Map(), problems: [], isWanted: (path) => wanted?.hasIn(`/${path}`) ?? true, counts };
}

/**
 * A digest of all entries, keyed with the salt: HMAC-SHA-256 over paths and contents, in hex. Without the salt it says
 * nothing of a content, however easily that is guessed.
 */
export function keyedDigest(salt: Buffer, entries: Entries): string {
  const digest = createHmac('sha256', salt);
  for (const [path, { content }] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    digest.update(`${path.length} ${content.length} `).update(path, 'latin1').update(content);
  }
  return digest.digest('hex');
}

/** The salt of a source: it stays the same, so that what did not change is not stored again. */
export async function saltOf(previous: SnapshotReader | undefined): Promise<Buffer> {
  const node = await previous?.find(`/${DATA}/${SALT}`);
  const known = node?.type === 'file' ? await previous?.readWhole(node, SALT_BYTES) : undefined;
  return known?.length === SALT_BYTES ? known : randomBytes(SALT_BYTES);
}

/** Writes all entries into a snapshot, each a file that its owner alone may read. @returns the node of `data` */
export async function storeEntries(writer: SnapshotWriter, entries: Entries, salt: Buffer): Promise<TreeNode> {
  const root = new Map<string, Branch>();
  for (const [path, entry] of entries) place(root, path.split('/'), entry);
  root.set(SALT, { content: salt, modifiedMs: 0 });
  return storeDirectory(writer, DATA, root);
}

type Branch = Entry | Map<string, Branch>;

function place(branch: Map<string, Branch>, [name = '', ...rest]: string[], entry: Entry): void {
  if (rest.length === 0) {
    branch.set(name, entry);
    return;
  }
  const known = branch.get(name);
  const next = known instanceof Map ? known : new Map<string, Branch>();
  branch.set(name, next);
  place(next, rest, entry);
}

async function storeDirectory(writer: SnapshotWriter, name: string, branches: Map<string, Branch>): Promise<TreeNode> {
  const nodes: TreeNode[] = [];
  for (const [child, branch] of branches) {
    nodes.push(
      branch instanceof Map ? await storeDirectory(writer, child, branch) : await storeFile(writer, child, branch),
    );
  }
  // A directory's own time would make every snapshot another one.
  return { name, type: 'dir', mode: DIRECTORY_MODE, ...times(0), content: null, subtree: await writer.saveTree(nodes) };
}

async function storeFile(writer: SnapshotWriter, name: string, entry: Entry): Promise<TreeNode> {
  const stream = await writer.openFile();
  await stream.write(entry.content);
  const { content, sizeBytes } = await stream.end();
  return { name, type: 'file', mode: FILE_MODE, ...times(entry.modifiedMs), ...entry.owner, size: sizeBytes, content };
}

function times(timeMs: number): Pick<TreeNode, 'mtime' | 'atime' | 'ctime'> {
  const time = formatTimeMs(timeMs);
  return { mtime: time, atime: time, ctime: time };
}

/** All entries of a snapshot, and its salt. @throws repository-damaged */
export async function storedEntries(reader: SnapshotReader): Promise<{ entries: Map<string, Entry>; salt: Buffer }> {
  const entries = new Map<string, Entry>();
  const visit = async (tree: string, prefix: string): Promise<void> => {
    for (const node of await reader.entries(tree)) {
      const path = `${prefix}${node.name}`;
      if (node.subtree !== undefined) await visit(node.subtree, `${path}/`);
      else if (node.type === 'file')
        entries.set(path, {
          content: await reader.readWhole(node, LARGEST_BYTES),
          modifiedMs: Date.parse(node.mtime ?? ''),
        });
    }
  };
  await visit(await dataTree(reader), '');
  const salt = entries.get(SALT)?.content;
  if (salt === undefined) throw damaged(reader);
  entries.delete(SALT);
  return { entries, salt };
}

/** The tree of `data` in a snapshot. @throws repository-damaged */
export async function dataTree(reader: SnapshotReader): Promise<string> {
  const subtree = (await reader.find(`/${DATA}`))?.subtree;
  if (subtree === undefined) throw damaged(reader);
  return subtree;
}

function damaged(reader: SnapshotReader): HoldfastError {
  return new HoldfastError(
    'repository-damaged',
    `snapshot ${reader.id.slice(0, 8)} holds no secrets as Holdfast stores them`,
  );
}

/** @throws source-unsupported where a file is more than a secret can be */
export function refuseLarge(bytes: number): void {
  if (bytes <= LARGEST_BYTES) return;
  throw new HoldfastError('source-unsupported', 'is larger than 64 MiB, and is no secret', {
    hint: 'Back it up as a source of type files.',
  });
}
