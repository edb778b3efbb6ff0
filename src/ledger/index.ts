export type { LedgerFault } from './chain-check.ts';
export type { NewEvent } from './chain-writer.ts';
export {
  type Checkpoint,
  fingerprintOf,
  newSigningKey,
  openCheckpoint,
  parsePublicKey,
  parseSigningKey,
  publicKeyOf,
  signCheckpoint,
} from './checkpoint.ts';
export type * from './events/access.ts';
export type * from './events/alerts.ts';
export type * from './events/channels.ts';
export type * from './events/governance.ts';
export type * from './events/keeping.ts';
export type * from './events/kit.ts';
export type * from './events/recovery.ts';
export type * from './events/runs.ts';
export type * from './events/watch.ts';
export type * from './events.ts';
export type { Folded } from './fold.ts';
export { Journal } from './journal.ts';
export { Ledger } from './ledger.ts';
export { mergedByTime } from './merge.ts';
export { sha256 } from './objects.ts';
export { type EventQuery, matches, sourcesOf } from './query.ts';
export { type Flushed, type Recorded, Recorder } from './recorder.ts';
export { removedByFold } from './removed-by-fold.ts';
export type { LedgerStorage } from './storage.ts';
export type { Summary } from './summary.ts';
export type { SummaryView } from './summary-view.ts';
export type { VerifiedLedger } from './verify.ts';
