import type { LedgerEvent } from '../../ledger/index.ts';
import { ledgerLog } from '../ledger/ledger-log.ts';
import type { Workspace } from '../workspace.ts';
import { compactTime, eventReference, fileNameOf, type UnsignedEvidence } from './unsigned.ts';

const SHA256 = /^[0-9a-f]{64}$/;

/** What is known of recovery points that were proven in some time, or were to be. Times are milliseconds since 1970. */
export async function proofEvidence(
  workspace: Workspace,
  { fromMs, untilMs }: { fromMs: number; untilMs: number },
): Promise<UnsignedEvidence[]> {
  const logged = await ledgerLog(workspace, { kinds: ['proof.recorded'], sinceMs: fromMs, untilMs });
  return logged.flatMap(({ repository, event }) =>
    event.kind === 'proof.recorded' ? [proofOf(repository, event)] : [],
  );
}

/** It is about the snapshot: its id is the SHA-256 of its file in the repository. */
function proofOf(repository: string, event: Extract<LedgerEvent, { kind: 'proof.recorded' }>): UnsignedEvidence {
  const { body, time, actor, writer, sequence } = event;
  const { source, snapshot, tree } = body;
  return {
    kind: 'proof',
    name: fileNameOf('proof', source, compactTime(time), writer.slice(0, 8), String(sequence)),
    subjects: [
      ...(SHA256.test(snapshot) ? [{ name: `snapshots/${snapshot}`, sha256: snapshot }] : []),
      { name: `tree/${tree}`, sha256: tree },
    ].filter(({ sha256 }) => SHA256.test(sha256)),
    predicate: { repository, recordedAt: time, by: actor, proof: body },
    events: [eventReference(repository, event)],
  };
}
