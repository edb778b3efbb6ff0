import { HoldfastError } from '../../foundation/errors.ts';
import {
  proofEvidence,
  type UnsignedEvidence,
  type Workspace,
  type WrittenEvidences,
  writeEvidence,
} from '../../operations/index.ts';
import { reportRuns } from '../report/report-run.ts';

export const EVIDENCE_KINDS = ['proof', 'drill', 'incident'] as const;
export type ExportedKind = (typeof EVIDENCE_KINDS)[number];

export interface EvidenceRequest {
  /** Of events from this moment on, before that one: milliseconds since 1970. */
  fromMs: number;
  untilMs: number;
  kinds: readonly ExportedKind[];
  /** Absolute. */
  directory: string;
}

export interface ExportedEvidence extends WrittenEvidences {
  /** What is not handed out yet, and why. */
  notes: string[];
}

/**
 * Signs what was proven, drilled and recovered in some time, and what that means to standards, and writes it into a directory.
 * @throws bad-usage where the plan names no key, or the time has not come; see `writeEvidence`
 */
export async function exportEvidence(workspace: Workspace, request: EvidenceRequest): Promise<ExportedEvidence> {
  const { fromMs, untilMs, kinds, directory } = request;
  if (fromMs >= untilMs) {
    throw new HoldfastError('bad-usage', 'there is no time between the two moments', {
      hint: 'Give --from a moment before that of --to, and before now.',
    });
  }
  const has = (kind: ExportedKind): boolean => kinds.includes(kind);
  const proofs = has('proof') ? await proofEvidence(workspace, request) : [];
  const runs = has('drill') || has('incident') ? await runEvidence(workspace, request) : { evidence: [], open: [] };
  const written = await writeEvidence(workspace, [...proofs, ...runs.evidence], directory);
  return { ...written, notes: runs.open.map((run) => `${run} is still under way: it leaves once it is over`) };
}

async function runEvidence(
  workspace: Workspace,
  { kinds, ...period }: EvidenceRequest,
): Promise<{ evidence: UnsignedEvidence[]; open: string[] }> {
  const repository = workspace.homeNames[0]!;
  const evidence: UnsignedEvidence[] = [];
  const open: string[] = [];
  for (const { written, events } of await reportRuns(workspace, period)) {
    const { report, html } = written;
    const { kind, id, endedAt } = report;
    if (!kinds.includes(kind)) continue;
    if (endedAt === undefined) {
      open.push(`${kind} ${id}`);
      continue;
    }
    const name = `${kind}-${id}`;
    evidence.push({
      ...{ kind, name, subjects: [], document: { name: `${name}.html`, text: `${html}\n` } },
      predicate: { repository, title: `${written.title}: ${report.outcome}`, recordedAt: endedAt, report },
      events: events.map(({ writer, sequence, kind: what, time }) => ({
        repository,
        writer,
        sequence,
        kind: what,
        time,
      })),
    });
  }
  return { evidence, open };
}
