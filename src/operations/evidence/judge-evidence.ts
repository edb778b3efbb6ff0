/** What evidence is worth, by the keys that are believed. Pure. */
import type { KeyObject } from 'node:crypto';
import {
  type EvidenceKind,
  fingerprintOf,
  type JudgedSignature,
  judgeSignatures,
  openStatement,
  parseEnvelope,
  type Subject,
} from '../../evidence/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import { believed, type ListedKey } from './key-list.ts';

/** A key that is believed: by itself, or as far as a list says. */
export interface BelievedKey {
  publicKey: KeyObject;
  listed?: Omit<ListedKey, 'publicKey'>;
}

/** What one statement is worth. Times are RFC 3339. */
export interface JudgedEvidence {
  verdict: 'verified' | 'refused';
  /** Why it is refused: none where it is not. */
  reasons: string[];
  signatures: JudgedSignature[];
  /** What it says, where it can be read: to be believed only where it is verified. */
  kind?: EvidenceKind;
  plan?: string;
  signedAt?: string;
  /** The fingerprint of the key that it says it is signed by. */
  key?: string;
  /** What it says in a few words: that it is verified does not mean that what it tells of went well. */
  says?: string;
  subjects: Subject[];
}

/** Clocks of two machines differ. */
const TOLERANCE_MS = 5 * 60_000;

/** All keys of a list. */
export function believedOf(keys: readonly ListedKey[]): BelievedKey[] {
  return keys.map(({ publicKey: _pem, ...listed }, index) => ({ publicKey: believed(keys[index]!), listed }));
}

/** @param text of one envelope */
export function judgeEvidence(text: string, keys: readonly BelievedKey[]): JudgedEvidence {
  try {
    const envelope = parseEnvelope(text);
    const signatures = judgeSignatures(
      envelope,
      keys.map(({ publicKey }) => publicKey),
    );
    const { kind, subject, predicate } = openStatement(envelope);
    const { plan, signedAt, key } = predicate;
    const reasons = [
      ...signatureReasons(signatures),
      ...(signatures.some((each) => each.key === key) ? [] : ['it says that another key has signed it']),
      ...signatures.flatMap((each) => (each.state === 'good' ? keyReasons(keys, each.key, signedAt) : [])),
    ];
    const subjects = subject.map(({ name, digest }) => ({ name, sha256: digest.sha256 }));
    const verdict = reasons.length === 0 ? 'verified' : 'refused';
    const says = saidBy(predicate);
    return { verdict, reasons, signatures, kind, plan, signedAt, key, ...(says && { says }), subjects };
  } catch (error) {
    if (!isHoldfastError(error, 'evidence-refused')) throw error;
    return { verdict: 'refused', reasons: [error.message], signatures: [], subjects: [] };
  }
}

/** Of a proof, what became of which source; of the others, how their documents are called. */
function saidBy({ proof, title }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof title === 'string') return title;
  const { source, state } = (proof ?? {}) as { source?: unknown; state?: unknown };
  return typeof source === 'string' && typeof state === 'string' ? `${source}: ${state}` : undefined;
}

function signatureReasons(signatures: readonly JudgedSignature[]): string[] {
  const bad = signatures.filter(({ state }) => state === 'bad');
  if (bad.length > 0) {
    return bad.map(
      ({ key }) => `it was changed since it was signed: the signature of ${key.slice(0, 16)} is not right`,
    );
  }
  if (signatures.some(({ state }) => state === 'good')) return [];
  return [
    `it is signed by ${signatures.map(({ key }) => key.slice(0, 16)).join(', ')}, which is no key that is believed`,
  ];
}

/** A key counts for as long as it signed, and a revoked one for nothing: who has it can write any time that they like. */
function keyReasons(keys: readonly BelievedKey[], fingerprint: string, signedAt: string): string[] {
  const { listed } = keys.find(({ publicKey }) => fingerprintOf(publicKey) === fingerprint)!;
  if (listed === undefined) return [];
  const name = fingerprint.slice(0, 16);
  const { revoked, from, until } = listed;
  if (revoked !== undefined) {
    return [
      `the key ${name} was revoked at ${revoked.at}: others may have had it since ${revoked.since} (${revoked.why})`,
    ];
  }
  const signedMs = Date.parse(signedAt);
  if (until !== undefined && signedMs > Date.parse(until) + TOLERANCE_MS) {
    return [`the key ${name} had been replaced at ${until}, before the time that it bears`];
  }
  return signedMs < Date.parse(from) - TOLERANCE_MS ? [`the key ${name} was not used before ${from}`] : [];
}
