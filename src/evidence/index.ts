/** What can be checked without Holdfast: in-toto Statements in DSSE envelopes, and the Ed25519 keys that sign them. */
export { type Envelope, type JudgedSignature, judgeSignatures, parseEnvelope, sealEnvelope } from './envelope.ts';
export { fingerprintOf, newSigningKey, parsePublicKey, parseSigningKey, publicKeyOf } from './signing-key.ts';
export {
  type EvidenceKind,
  encodeStatement,
  openStatement,
  type Signing,
  type Statement,
  type Subject,
} from './statement.ts';
