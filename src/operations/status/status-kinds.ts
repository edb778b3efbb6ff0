import type { LedgerEvent } from '../../ledger/index.ts';

/** The kinds of events that a status is made of. */
export const STATUS_KINDS: readonly LedgerEvent['kind'][] = [
  ...(['backup.finished', 'backup.failed', 'log.folded', 'log.gap', 'proof.recorded', 'snapshot.checked'] as const),
  ...(['check.finished', 'object.healed', 'mirror.finished', 'mirror.failed'] as const),
  ...(['archive.finished', 'archive.failed', 'source.moved', 'drill.started', 'drill.finished'] as const),
];
