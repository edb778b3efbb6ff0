import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { encodeStatement, openStatement, parseEnvelope, sealEnvelope } from '../../evidence/index.ts';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { readGivenFile } from '../../foundation/given-file.ts';
import { writeFileAnew } from '../../foundation/new-file.ts';
import type { EvidenceSigned } from '../../ledger/index.ts';
import type { Workspace } from '../workspace.ts';
import { type BelievedKey, believedOf, judgeEvidence } from './judge-evidence.ts';
import { listSigningKey, signingBy } from './key-register.ts';
import { readSigningKey } from './signing-key.ts';
import type { EvidenceFile, UnsignedEvidence } from './unsigned.ts';
import { KEY_LIST_FILE } from './verify-evidence.ts';

/** Evidence says much of how a place is run: it is for its owner to hand out. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const SIGNED_AT_ONCE = 500;
/** What is larger is none of what is written here, and is replaced. */
const LARGEST_FILE_BYTES = 256 * 1024 * 1024;

/** What became of one statement. */
export interface WrittenEvidence {
  kind: string;
  file: string;
  /** What it is about, where that lies beside it. */
  document?: string;
  /**
   * `kept`: it was there, and says what there is to say. `updated`: what was there is right, and more is known since. `renewed`: what
   * was there is not to be believed.
   */
  state: 'new' | 'kept' | 'updated' | 'renewed';
}

export interface WrittenEvidences {
  /** Absolute. */
  directory: string;
  /** The fingerprint of the key that signed. */
  key: string;
  evidence: WrittenEvidence[];
  keyList: string;
}

/**
 * Signs evidence, records in the ledger that this was done, and then writes it into a directory, with the list of all keys there
 * were. What is there already stays where it is right and says all: evidence of a revoked key, or of what went on since, is signed
 * anew by this one.
 * @param directory absolute; made where it is not there
 * @throws bad-usage where the plan names no key; signing-key-refused; secret-unavailable; target-failed
 */
export async function writeEvidence(
  workspace: Workspace,
  all: readonly UnsignedEvidence[],
  directory: string,
): Promise<WrittenEvidences> {
  const own = await readSigningKey(workspace);
  const { list, keyList } = await listSigningKey(workspace, own);
  const keys = believedOf(list.keys);
  await makeDirectory(directory);
  const evidence: WrittenEvidence[] = [];
  const files: EvidenceFile[] = [];
  for (const each of all) {
    const { kind, subjects, document, events } = each;
    const name = `${each.name}.intoto.jsonl`;
    const said = { ...each.predicate, events };
    const state = await stateOf(directory, { name, keys, said, ...(document && { document: document.name }) });
    evidence.push({ kind, file: name, ...(document && { document: document.name }), state });
    if (state === 'kept') continue;
    const about = [...subjects, ...(document ? [{ name: document.name, sha256: sha256Of(document.text) }] : [])];
    const statement = encodeStatement(kind, about, { ...signingBy(workspace, own), ...said });
    files.push(...(document ? [document] : []), { name, text: sealEnvelope(statement, [own.privateKey]) });
  }
  files.push({ name: KEY_LIST_FILE, text: keyList });
  await recordSigned(workspace, own.fingerprint, files);
  for (const { name, text } of files) await writeFileAnew(join(directory, name), text, FILE_MODE);
  return { directory, key: own.fingerprint, evidence, keyList: KEY_LIST_FILE };
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await makeDirectories(directory, DIRECTORY_MODE);
  } catch (cause) {
    throw new HoldfastError('target-failed', `${directory} cannot be made: ${messageOf(cause)}`, {
      hint: 'Name a directory by `--out` that may be written to.',
      cause,
    });
  }
}

/** What lies there under the names of a statement and of what it is about. */
async function stateOf(
  directory: string,
  { name, document, keys, said }: { name: string; document?: string; keys: readonly BelievedKey[]; said: object },
): Promise<WrittenEvidence['state']> {
  const text = await readIfThere(join(directory, name));
  if (text === undefined) return 'new';
  const { verdict, subjects } = judgeEvidence(text, keys);
  if (verdict === 'refused') return 'renewed';
  const about = document === undefined ? undefined : await readIfThere(join(directory, document));
  const isSame = subjects.some((each) => each.name === document && each.sha256 === sha256Of(about ?? ''));
  if (document !== undefined && !isSame) return 'renewed';
  return isDeepStrictEqual(saidIn(text), JSON.parse(JSON.stringify(said))) ? 'kept' : 'updated';
}

/** What a statement says, but for who says it and when. */
function saidIn(text: string): unknown {
  const {
    plan: _plan,
    key: _key,
    signedAt: _signedAt,
    tool: _tool,
    ...said
  } = openStatement(parseEnvelope(text)).predicate;
  return said;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readGivenFile(path, LARGEST_FILE_BYTES)).toString('utf8');
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw new HoldfastError('target-failed', `${path} is in the way and cannot be read: ${messageOf(cause)}`, {
      hint: 'Move it away, or name another directory by `--out`.',
      cause,
    });
  }
}

/** Before it is handed out. */
async function recordSigned(workspace: Workspace, key: string, files: readonly EvidenceFile[]): Promise<void> {
  const signed = files.map(({ name, text }) => ({ name, sha256: sha256Of(text) }));
  const bodies: EvidenceSigned[] = [];
  for (let at = 0; at < signed.length; at += SIGNED_AT_ONCE) {
    bodies.push({ key, files: signed.slice(at, at + SIGNED_AT_ONCE) });
  }
  await workspace.recorder().recordAll(bodies.map((body) => ({ kind: 'evidence.signed', body })));
}

/** Of a text in UTF-8, hex. */
function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
