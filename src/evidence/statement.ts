/** Statements as in-toto 1.0 has them: something is said (a predicate) of things that their digests name (subjects). Pure. */
import { z } from 'zod';
import { HoldfastError } from '../foundation/errors.ts';
import type { Envelope } from './envelope.ts';
import { jsonOf } from './json.ts';

const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';

/** What evidence is of, and the type of the predicate that says it. */
export const PREDICATES = {
  proof: 'urn:holdfast:evidence:proof:1',
  drill: 'urn:holdfast:evidence:drill:1',
  incident: 'urn:holdfast:evidence:incident:1',
  compliance: 'urn:holdfast:evidence:compliance:1',
  'signing-keys': 'urn:holdfast:evidence:signing-keys:1',
} as const;

export type EvidenceKind = keyof typeof PREDICATES;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const statement = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.array(z.object({ name: z.string().min(1), digest: z.object({ sha256 }) })).min(1),
  predicateType: z.enum(Object.values(PREDICATES)),
  predicate: z.looseObject({
    plan: z.string(),
    key: sha256,
    signedAt: z.iso.datetime(),
    tool: z.object({ name: z.string(), version: z.string() }),
  }),
});

export type Statement = z.infer<typeof statement>;

/** What a statement is about: the digest is SHA-256 (hex) of its bytes. */
export interface Subject {
  name: string;
  sha256: string;
}

/** What every predicate says beside its own. */
export interface Signing {
  /** The plan's name. */
  plan: string;
  /** The fingerprint of the key that signs. */
  key: string;
  /** RFC 3339, by the clock of the machine that signs: nobody else vouches for it. */
  signedAt: string;
  tool: { name: string; version: string };
}

/** The bytes of a statement. */
export function encodeStatement(
  kind: EvidenceKind,
  subjects: readonly Subject[],
  predicate: Signing & Readonly<Record<string, unknown>>,
): Buffer {
  const document = {
    _type: STATEMENT_TYPE,
    subject: subjects.map(({ name, sha256: digest }) => ({ name, digest: { sha256: digest } })),
    predicateType: PREDICATES[kind],
    predicate,
  };
  return Buffer.from(JSON.stringify(document));
}

/** What an envelope says. Only to be believed when its signatures were found good. @throws evidence-refused when it is no statement of ours */
export function openStatement({ payload }: Envelope): Statement & { kind: EvidenceKind } {
  const parsed = statement.safeParse(jsonOf(Buffer.from(payload, 'base64').toString('utf8')));
  if (parsed.success) {
    const kind = Object.entries(PREDICATES).find(([, type]) => type === parsed.data.predicateType)![0] as EvidenceKind;
    return { ...parsed.data, kind };
  }
  const where = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new HoldfastError(
    'evidence-refused',
    `what it holds is no statement of Holdfast's${where === '' ? '' : ` (${where})`}`,
    {
      hint: 'Use the version of Holdfast that wrote it, or a newer one; `openssl` and `cosign` judge its signature whatever it says.',
    },
  );
}
