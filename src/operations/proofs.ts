import type { LedgerEvent, ProofRecorded } from '../ledger/index.ts';

export type ProofEvent = Extract<LedgerEvent, { kind: 'proof.recorded' }>;

/**
 * The newest proof of each tree of a source, in the order in which they were made.
 * @param events oldest first
 */
export function proofsOf(source: string, events: readonly LedgerEvent[]): Map<ProofRecorded['tree'], ProofEvent> {
  const proofs = new Map<string, ProofEvent>();
  for (const event of events) {
    if (event.kind !== 'proof.recorded' || event.body.source !== source) continue;
    proofs.delete(event.body.tree);
    proofs.set(event.body.tree, event);
  }
  return proofs;
}
