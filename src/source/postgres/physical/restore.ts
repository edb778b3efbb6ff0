import { appendFile, chmod, chown, lchown, lstat, open, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { systemPermissions, type TreeNode } from '../../../format/index.ts';
import { syncDirectory, syncOne } from '../../../foundation/directories.ts';
import { HoldfastError, messageOf, systemCode } from '../../../foundation/errors.ts';
import { isProcessThere } from '../../../foundation/process-alive.ts';
import type { Target } from '../../../foundation/target.ts';
import { type Extracted, isMarked, notesOf, type SnapshotReader } from '../../../repository/index.ts';
import type { RestoreContext, Restored } from '../../index.ts';
import { type PhysicalDetails, readPhysicalDetails } from './details.ts';

const CONTROL_FILE = '/global/pg_control';
/** It has 8 KB in every version. */
const CONTROL_FILE_LIMIT_BYTES = 1024 * 1024;

/** Where the tablespaces of a cluster that is restored to a directory go: beside it, since inside would be in its way. */
export function tablespacesDirectory(directory: string): string {
  return `${directory}.tablespaces`;
}

/**
 * Writes a cluster's data directory to a directory, and its tablespaces, if it has any, to another one beside it. One that
 * is to be replaced, or that the same restore was interrupted in, keeps what is right in it, and nothing else: a server may
 * have replayed a log there.
 *
 * The server does not start without its control file: that goes first, and comes last, once everything else is durable.
 * @throws target-not-empty, target-unsuitable where a server runs on it, target-failed, disk-full, repository-damaged
 */
export async function restoreDataDirectory(
  reader: SnapshotReader,
  target: Extract<Target, { kind: 'directory' }>,
  context: RestoreContext,
): Promise<Restored> {
  const { path: directory, sandbox = false } = target;
  const { replace = false, dryRun = false } = context;
  const details = await readPhysicalDetails(reader);
  const data = await directoryNode(reader, '/data');
  const control = await reader.find(`/data${CONTROL_FILE}`);
  if (control === undefined) throw new HoldfastError('repository-damaged', 'the snapshot has no pg_control');
  await refuseRunning(directory);
  if (!replace && details.tablespaces.length > 0) await refuseTaken(tablespacesDirectory(directory));
  if (replace && !dryRun) await removeControlFile(directory);
  const how = { ...context, isSyncedAfterwards: !sandbox };
  const extracted = await extractAll(reader, directory, { details, data }, how);
  if (dryRun) return { ...resultOf(extracted, []), surplus: surplusOf(extracted, directory, details) };
  try {
    await linkTablespaces(reader, directory, details);
    await setOwner(directory, data);
    if (!sandbox)
      await makeDurable([directory, ...extracted.slice(1).map(() => tablespacesDirectory(directory))], context);
    if (context.isReplayed === true && !sandbox) await requestRecovery(directory, data, context.recoverySettings);
    await writeControlFile(reader, control, join(directory, CONTROL_FILE));
  } catch (error) {
    throw systemCode(error) === undefined ? error : targetFailed(directory, error);
  }
  const notes = sandbox ? [] : await notesFor(directory, details, data, context);
  return resultOf(extracted, [...notesOf(extracted[0]!), ...notes]);
}

type ExtractContext = RestoreContext & { isSyncedAfterwards: boolean };

/** The data directory without what comes later, and the tablespaces, if there are any. */
async function extractAll(
  reader: SnapshotReader,
  directory: string,
  { details, data }: { details: PhysicalDetails; data: TreeNode },
  context: ExtractContext,
): Promise<Extracted[]> {
  const leaveOut = [CONTROL_FILE, ...details.tablespaces.map(({ oid }) => `/pg_tblspc/${oid}`)];
  const how = { ...context, clearsMarked: true };
  const extracted = [await reader.extract(directory, { ...how, tree: data.subtree!, leaveOut })];
  if (details.tablespaces.length > 0) extracted.push(await restoreTablespaces(reader, directory, details, context));
  return extracted;
}

/** Through no link: what lies elsewhere is somebody else's. */
async function removeControlFile(directory: string): Promise<void> {
  const parent = join(directory, CONTROL_FILE, '..');
  const found = await lstat(parent).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  if (found?.isDirectory() === true) await rm(join(directory, CONTROL_FILE), { force: true });
}

/** Before the control file: from then on a server starts only with what gives it the log, and not at the backup's end. */
async function requestRecovery(
  directory: string,
  { uid, gid }: TreeNode,
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${configurationText(value)}\n`);
  const files = { 'recovery.signal': '', ...(lines.length > 0 && { 'postgresql.auto.conf': lines.join('') }) };
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    await appendFile(path, text, { mode: 0o600 });
    if (isRoot() && uid !== undefined && gid !== undefined) await chown(path, uid, gid);
    await syncOne(path);
  }
  await syncOne(directory);
}

/** A value as a server's configuration has it. */
function configurationText(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** What would be removed; not what is only written anew. */
function surplusOf(extracted: readonly Extracted[], directory: string, { tablespaces }: PhysicalDetails): string[] {
  const links = tablespaces.map(({ oid }) => join(directory, 'pg_tblspc', oid));
  const written = new Set([join(directory, CONTROL_FILE), ...links]);
  return extracted.flatMap(({ surplus = [] }) => surplus.filter((path) => !written.has(path)));
}

/** A server that goes on writing into what is being replaced leaves neither the one nor the other. @throws target-unsuitable */
async function refuseRunning(directory: string): Promise<void> {
  const path = join(directory, 'postmaster.pid');
  const pid = Number.parseInt(await readIfThere(path), 10);
  if (Number.isNaN(pid) || !isProcessThere(pid)) return;
  throw new HoldfastError('target-unsuitable', `a server with the process id ${pid} runs on ${directory}`, {
    hint: `Stop it with \`pg_ctl -D ${directory} stop\`. If that process is no server, remove ${path}.`,
    context: { target: directory, pid },
  });
}

/** Before the data directory is written: what is in the way beside it would be seen only afterwards. */
async function refuseTaken(path: string): Promise<void> {
  let names: string[] = [];
  try {
    names = await readdir(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  // Whose restore it is that was interrupted there comes out when it is gone on with.
  if (names.length === 0 || isMarked(path)) return;
  throw new HoldfastError('target-not-empty', `${path}, which takes the tablespaces, is not empty`, {
    hint: 'Remove it, and what an interrupted restore left beside it, or name another directory.',
    context: { target: path },
  });
}

async function makeDurable(directories: readonly string[], { progress }: RestoreContext): Promise<void> {
  progress.phase('making it durable');
  for (const directory of directories) await syncDirectory(directory);
}

async function directoryNode(reader: SnapshotReader, path: string): Promise<TreeNode> {
  const node = await reader.find(path);
  if (node?.subtree !== undefined) return node;
  throw new HoldfastError('repository-damaged', `the snapshot has no directory ${path}`);
}

async function restoreTablespaces(
  reader: SnapshotReader,
  directory: string,
  { tablespaces }: PhysicalDetails,
  context: ExtractContext,
): Promise<Extracted> {
  const node = await directoryNode(reader, '/tablespaces');
  const names = new Set((await reader.entries(node.subtree!)).map(({ name }) => name));
  const missing = tablespaces.find(({ oid }) => !names.has(oid));
  if (missing !== undefined)
    throw new HoldfastError('repository-damaged', `the snapshot has no tablespace ${missing.oid}`);
  const target = tablespacesDirectory(directory);
  const extracted = await reader.extract(target, { ...context, tree: node.subtree!, clearsMarked: true });
  if (context.dryRun !== true) await setOwner(target, node);
  return extracted;
}

async function linkTablespaces(
  reader: SnapshotReader,
  directory: string,
  { tablespaces }: PhysicalDetails,
): Promise<void> {
  for (const { oid } of tablespaces) {
    const link = join(directory, 'pg_tblspc', oid);
    await rm(link, { force: true });
    await symlink(join(tablespacesDirectory(directory), oid), link);
    const node = await reader.find(`/data/pg_tblspc/${oid}`);
    if (isRoot() && node?.uid !== undefined && node.gid !== undefined) await lchown(link, node.uid, node.gid);
  }
}

async function writeControlFile(reader: SnapshotReader, node: TreeNode, path: string): Promise<void> {
  const content = await reader.readWhole(node, CONTROL_FILE_LIMIT_BYTES);
  const file = await open(path, 'wx', systemPermissions(node.mode ?? 0o600));
  try {
    await file.writeFile(content);
    if (isRoot() && node.uid !== undefined && node.gid !== undefined) await file.chown(node.uid, node.gid);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncOne(join(path, '..'));
}

/** A server refuses a data directory that is somebody else's, or that others may enter. */
async function setOwner(path: string, { uid, gid, mode = 0o700 }: TreeNode): Promise<void> {
  if (isRoot() && uid !== undefined && gid !== undefined) await chown(path, uid, gid);
  await chmod(path, systemPermissions(mode));
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function resultOf(extracted: Extracted[], notes: string[]): Restored {
  const sum = (of: (each: Extracted) => number): number => extracted.reduce((all, each) => all + of(each), 0);
  return {
    bytes: sum(({ bytes }) => bytes),
    items: sum(({ files, directories, others }) => files + directories + others),
    notes,
    problems: extracted.flatMap(({ problems }) => problems),
  };
}

async function notesFor(
  directory: string,
  details: PhysicalDetails,
  { uid }: TreeNode,
  { isReplayed = false }: RestoreContext,
): Promise<string[]> {
  const recovers = isReplayed ? '' : `, and it recovers to ${details.stopLsn}`;
  const notes = [
    `a data directory of PostgreSQL ${details.majorVersion}: start it with \`pg_ctl -D ${directory} start\`${recovers}`,
  ];
  if (details.tablespaces.length > 0) notes.push(`its tablespaces are in ${tablespacesDirectory(directory)}`);
  if (details.madeConfiguration.length > 0) {
    notes.push(`${details.madeConfiguration.join(', ')} lay elsewhere on the server: a minimal one is in its place`);
  }
  if (isRoot() && uid !== undefined) notes.push(`it belongs to the user ${uid}, as on the server`);
  if (await mayArchive(directory)) {
    notes.push(
      'it would archive its log where the server does: start it with `-o "-c archive_mode=off"` beside a living one',
    );
  }
  return notes;
}

/** Whether a configuration that came along turns archiving on: a copy would write into the archive of its original. */
async function mayArchive(directory: string): Promise<boolean> {
  for (const name of ['postgresql.conf', 'postgresql.auto.conf']) {
    if (/^\s*archive_mode\s*=?\s*'?(on|always|true|yes|1)/im.test(await readIfThere(join(directory, name))))
      return true;
  }
  return false;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}

function targetFailed(directory: string, error: unknown): HoldfastError {
  const isFull = systemCode(error) === 'ENOSPC' || systemCode(error) === 'EDQUOT';
  return new HoldfastError(
    isFull ? 'disk-full' : 'target-failed',
    `cannot restore to ${directory}: ${messageOf(error)}`,
    {
      hint: 'What is there is incomplete, and no server starts from it. Remove it, and restore again.',
      context: { directory },
      cause: error,
    },
  );
}
