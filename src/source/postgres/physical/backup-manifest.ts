import { createHash } from 'node:crypto';
import { z } from 'zod';
import { displayName } from '../../../format/index.ts';
import { HoldfastError, messageOf } from '../../../foundation/errors.ts';

/** What was stored of a file. */
export interface StoredContent {
  sizeBytes: number;
  /** As the manifest has it. */
  crc32c: string;
}

const position = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i);

const manifest = z.object({
  Files: z.array(
    z.object({
      Path: z.string().optional(),
      /** Where the path is not UTF-8: its bytes in hexadecimal. */
      'Encoded-Path': z.string().optional(),
      Size: z.number().int().nonnegative(),
      'Checksum-Algorithm': z.string().optional(),
      Checksum: z.string().optional(),
    }),
  ),
  'WAL-Ranges': z.array(z.object({ Timeline: z.number().int(), 'Start-LSN': position, 'End-LSN': position })),
});

/** The last line names the digest of everything before it. */
const CHECKSUM_LINE = /\n"Manifest-Checksum": "([0-9a-f]{64})"\}\n$/;
const FILES_BEGIN = '"Files": [\n';
/** A line of a file, with another one behind it. */
const NAMED_FILE = /^\{\s*"Path":\s*"([^"]+)",.*\},$/;

/**
 * Holds the server's manifest against what was stored: the same files, sizes and checksums. The log's files are in no
 * manifest; the server checks them as it reads them.
 * Source: PostgreSQL's documentation, "Backup Manifest Format".
 * @param stored by path in the data directory, a byte string
 * @throws archive-damaged
 */
export function checkBackupManifest(text: string, stored: ReadonlyMap<string, StoredContent>): void {
  const files = parse(text);
  const missing = new Set([...stored.keys()].filter((path) => !isLog(path)));
  for (const file of files) {
    const path = pathOf(file);
    const found = stored.get(path);
    if (found === undefined) throw differs(`it names ${displayName(path)}, which did not come`);
    if (found.sizeBytes !== file.Size) {
      throw differs(`${displayName(path)} should have ${file.Size} bytes, and has ${found.sizeBytes}`);
    }
    if (file['Checksum-Algorithm'] !== 'CRC32C')
      throw differs(`${displayName(path)} has no checksum of the kind CRC32C`);
    if (file.Checksum?.toLowerCase() !== found.crc32c) throw differs(`${displayName(path)} has another checksum`);
    missing.delete(path);
  }
  for (const path of missing) throw differs(`it does not name ${displayName(path)}`);
}

/**
 * The manifest of what is stored, so that pg_verifybackup knows it: with files that Holdfast added to what the server sent,
 * and without those that it left out.
 * @param leftOut paths of printable characters, none of them the manifest's last file, which is the control file
 */
export function changeBackupManifest(
  text: string,
  added: readonly (StoredContent & { path: string; modifiedSeconds: number })[],
  leftOut: ReadonlySet<string>,
): string {
  const sent = withoutChecksum(text);
  const lines = sent.split('\n');
  const kept = lines.filter((line) => !leftOut.has(NAMED_FILE.exec(line)?.[1] ?? ''));
  if (added.length === 0 && kept.length === lines.length) return text;
  const more = added.map(({ path, sizeBytes, crc32c, modifiedSeconds }) =>
    JSON.stringify({
      Path: path,
      Size: sizeBytes,
      'Last-Modified': new Date(modifiedSeconds * 1000).toISOString().replace('T', ' ').replace(/\..*/, ' GMT'),
      'Checksum-Algorithm': 'CRC32C',
      Checksum: crc32c,
    }),
  );
  const body = kept.join('\n').replace(FILES_BEGIN, () => FILES_BEGIN + more.map((line) => `${line},\n`).join(''));
  return `${body}\n"Manifest-Checksum": "${digestOf(body)}"}\n`;
}

function parse(text: string): z.infer<typeof manifest>['Files'] {
  const digest = CHECKSUM_LINE.exec(text)?.[1];
  if (digest === undefined || digestOf(withoutChecksum(text)) !== digest) throw differs('its own checksum is wrong');
  try {
    return manifest.parse(JSON.parse(text)).Files;
  } catch (error) {
    throw differs(error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error));
  }
}

function withoutChecksum(text: string): string {
  return text.replace(CHECKSUM_LINE, '');
}

/** Of everything before the last line, its newline included. */
function digestOf(body: string): string {
  return createHash('sha256').update(`${body}\n`, 'utf8').digest('hex');
}

function pathOf(file: z.infer<typeof manifest>['Files'][number]): string {
  const encoded = file['Encoded-Path'];
  if (encoded !== undefined) return Buffer.from(encoded, 'hex').toString('latin1');
  return Buffer.from(file.Path ?? '', 'utf8').toString('latin1');
}

function isLog(path: string): boolean {
  return path.startsWith('pg_wal/');
}

function differs(reason: string): HoldfastError {
  return new HoldfastError('archive-damaged', `the server's manifest does not agree with what it sent: ${reason}`, {
    hint: 'Run the backup again. If this comes back, see what stands between Holdfast and the server.',
  });
}
