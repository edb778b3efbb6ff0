import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { fingerprintOf, parsePublicKey } from '../../evidence/index.ts';
import { HoldfastError, isHoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { readGivenFile } from '../../foundation/given-file.ts';
import type { Workspace } from '../workspace.ts';
import { type BelievedKey, believedOf, type JudgedEvidence, judgeEvidence } from './judge-evidence.ts';
import { keysListedBy } from './key-list.ts';
import { assertSigns, readKeyRegister } from './key-register.ts';
import { readSigningKey } from './signing-key.ts';

/** Far above what is written. */
const LIMIT_BYTES = 256 * 1024 * 1024;

/** What a file of evidence is worth. */
export interface VerifiedEvidence extends Omit<JudgedEvidence, 'subjects'> {
  file: string;
  /** From 1, where the file has several. */
  line?: number;
  /** `same` and `changed` of what lies beside the file by that name; `absent`: nothing does, so that it was not compared. */
  subjects: { name: string; sha256: string; state: 'same' | 'changed' | 'absent' }[];
}

/** The keys that evidence is believed by, and what was not known of them. */
export interface Believed {
  keys: BelievedKey[];
  notes: string[];
}

/**
 * The keys of a plan: the one that signs, and what the ledger says of those before it.
 * @throws bad-usage where the plan names none; secret-unavailable; signing-key-refused where the ledger names another one
 */
export async function believedByPlan(workspace: Workspace): Promise<Believed> {
  const own = await readSigningKey(workspace);
  try {
    const { list } = await readKeyRegister(workspace);
    if (list === undefined) return { keys: [{ publicKey: own.privateKey }], notes: [] };
    assertSigns(list, own);
    return { keys: believedOf(list.keys), notes: [] };
  } catch (error) {
    if (!isHoldfastError(error) || error.code === 'signing-key-refused') throw error;
    const notes = [
      `the ledger could not be asked for other keys than the plan's, nor whether one was revoked: ${error.message}`,
    ];
    return { keys: [{ publicKey: own.privateKey }], notes };
  }
}

/**
 * These keys alone, and those of lists that one of them signed last, where such lie beside the evidence.
 * @param files of public keys, in PEM
 * @param evidence files that are to be verified
 * @throws path-missing, secret-unavailable
 */
export async function believedByFiles(files: readonly string[], evidence: readonly string[]): Promise<Believed> {
  const given: BelievedKey[] = [];
  for (const file of files) given.push({ publicKey: parsePublicKey(await readText(file)) });
  const isIn = (keys: readonly BelievedKey[], key: string): boolean =>
    keys.some(({ publicKey }) => fingerprintOf(publicKey) === key);
  const texts: string[] = [];
  for (const directory of new Set(evidence.map((file) => dirname(file)))) {
    texts.push(...(await linesOfList(join(directory, KEY_LIST_FILE))));
  }
  const listed = believedOf(keysListedBy(texts, (key) => isIn(given, key)));
  const keys = [...given.filter(({ publicKey }) => !isIn(listed, fingerprintOf(publicKey))), ...listed];
  const notes =
    listed.length > 0 ? [] : ['whether a key was revoked is not known without the list of keys, or the plan'];
  return { keys, notes };
}

/** How the list of keys is called in a directory of evidence. */
export const KEY_LIST_FILE = 'signing-keys.intoto.jsonl';

/** What each statement of a file is worth. @throws path-missing */
export async function verifyEvidence(file: string, keys: readonly BelievedKey[]): Promise<VerifiedEvidence[]> {
  const text = await readText(file);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const isBundle = lines.length > 1 && lines.every((line) => line.startsWith('{'));
  const parts = isBundle ? lines : [text];
  const verified: VerifiedEvidence[] = [];
  for (const [index, part] of parts.entries()) {
    const judged = judgeEvidence(part, keys);
    const subjects: VerifiedEvidence['subjects'] = [];
    for (const subject of judged.subjects) {
      subjects.push({ ...subject, state: await stateOf(dirname(file), subject) });
    }
    const reasons = [
      ...judged.reasons,
      ...subjects.flatMap(({ name, state }) =>
        state === 'changed' ? [`${name} beside it is not what was signed`] : [],
      ),
    ];
    const verdict = reasons.length === 0 ? 'verified' : 'refused';
    verified.push({ ...judged, ...{ file, subjects, reasons, verdict }, ...(isBundle && { line: index + 1 }) });
  }
  return verified;
}

async function stateOf(
  directory: string,
  { name, sha256 }: { name: string; sha256: string },
): Promise<'same' | 'changed' | 'absent'> {
  // What it is about may have any name: nothing but files beside the evidence is looked at.
  if (basename(name) !== name || name === '.' || name === '..') return 'absent';
  const path = join(directory, name);
  const bytes = await readIfThere(path);
  if (bytes === undefined) return 'absent';
  return createHash('sha256').update(bytes).digest('hex') === sha256 ? 'same' : 'changed';
}

async function linesOfList(path: string): Promise<string[]> {
  const bytes = await readIfThere(path);
  return (bytes?.toString('utf8') ?? '').split('\n').filter((line) => line !== '');
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readBytes(path);
  } catch (error) {
    if (isHoldfastError(error, 'path-missing') && systemCode(error.cause) === 'ENOENT') return undefined;
    throw error;
  }
}

async function readText(path: string): Promise<string> {
  return (await readBytes(path)).toString('utf8');
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    const bytes = await readGivenFile(path, LIMIT_BYTES);
    if (bytes.length > LIMIT_BYTES) throw new Error(`it has more than ${LIMIT_BYTES} bytes`);
    return bytes;
  } catch (cause) {
    throw new HoldfastError('path-missing', `${path} cannot be read: ${messageOf(cause)}`, {
      hint: 'Name a file of evidence, or of a public key.',
      cause,
    });
  }
}
