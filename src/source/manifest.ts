import { HoldfastError, messageOf } from '../foundation/errors.ts';
import { lsnText, parseLsnText, type SnapshotReader } from '../repository/index.ts';
import type { Capture, Manifest, ManifestLog } from './source.ts';

/** Where a snapshot says what it holds: in its root directory, beside what was captured. */
export const MANIFEST_DIRECTORY = '.holdfast';
export const MANIFEST_NAME = 'manifest.json';
const LIMIT_BYTES = 256 * 1024 * 1024;

/**
 * What a snapshot says of itself. Only the version is checked: `details` is for the source to read.
 * @throws repository-damaged when there is none that can be read; repository-unsupported when a newer Holdfast wrote it
 */
export async function readManifest(reader: SnapshotReader): Promise<Manifest> {
  const node = await reader.find(`/${MANIFEST_DIRECTORY}/${MANIFEST_NAME}`);
  if (node === undefined) {
    throw new HoldfastError('repository-damaged', `snapshot ${reader.id.slice(0, 8)} has no manifest`, {
      hint: 'Holdfast did not write it; it can be restored with `holdfast restore --snapshot`, but not validated.',
    });
  }
  const manifest = parse((await reader.readWhole(node, LIMIT_BYTES)).toString('utf8'), reader);
  if (manifest.version === 1) return manifest;
  throw new HoldfastError(
    'repository-unsupported',
    `snapshot ${reader.id.slice(0, 8)} has a manifest of the unknown version ${String(manifest.version)}`,
    { hint: 'Use the version of Holdfast that wrote it, or a newer one.' },
  );
}

/** What a manifest says of the part of the log that its snapshot has. @param ms by the server's clock */
export function manifestLog({ system, timeline, end }: NonNullable<Capture['log']>, ms: number): ManifestLog {
  return { system, timeline, end: lsnText(end), time: new Date(ms).toISOString() };
}

/** Where the source's log goes on from a snapshot. */
export interface LogEnd {
  system: string;
  timeline: number;
  lsn: bigint;
  /** By the server's clock: nothing of what happened later is in the snapshot. */
  ms: number;
}

/** @returns undefined of a snapshot that no log goes on from */
export function logEndOf({ log, details, finishedAt, clockOffsetMs = 0 }: Manifest): LogEnd | undefined {
  if (log !== undefined) {
    const { system, timeline, end, time } = log;
    return { system, timeline, lsn: parseLsnText(end), ms: Date.parse(time) };
  }
  // Of a PostgreSQL cluster that was captured before manifests said so.
  const [system, stop, timeline] = [details['systemIdentifier'], details['stopLsn'], details['timeline']];
  if (typeof system !== 'string' || typeof stop !== 'string' || typeof timeline !== 'number') return undefined;
  return { system, timeline, lsn: parseLsnText(stop), ms: Date.parse(finishedAt) + clockOffsetMs };
}

function parse(text: string, reader: SnapshotReader): Manifest {
  try {
    const manifest = JSON.parse(text) as Manifest | null;
    if (manifest !== null && typeof manifest === 'object' && typeof manifest.details === 'object') return manifest;
  } catch (cause) {
    throw unreadable(reader, messageOf(cause), cause);
  }
  throw unreadable(reader, 'it has no details');
}

function unreadable(reader: SnapshotReader, reason: string, cause?: unknown): HoldfastError {
  const message = `the manifest of snapshot ${reader.id.slice(0, 8)} cannot be read: ${reason}`;
  return new HoldfastError('repository-damaged', message, { cause });
}
