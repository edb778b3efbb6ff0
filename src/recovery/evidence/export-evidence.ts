import { HoldfastError } from '../../foundation/errors.ts';
import {
  compactTime,
  eventReference,
  proofEvidence,
  reportCompliance,
  type UnsignedEvidence,
  type Workspace,
  type WrittenEvidences,
  writeEvidence,
} from '../../operations/index.ts';
import { reportRuns } from '../report/report-run.ts';

export type ExportedKind = 'proof' | 'drill' | 'incident' | 'compliance';

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
  /** Repositories whose ledgers are not whole, or could not be verified or read, as the compliance report says. */
  gaps: string[];
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
  const compliance = has('compliance') ? await complianceEvidence(workspace, request) : { evidence: [], gaps: [] };
  const written = await writeEvidence(workspace, [...proofs, ...runs.evidence, ...compliance.evidence], directory);
  const open = runs.open.map((run) => `${run} is still under way: it leaves once it is over`);
  return { ...written, notes: open, gaps: compliance.gaps };
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
      events: events.map((event) => eventReference(repository, event)),
    });
  }
  return { evidence, open };
}

async function complianceEvidence(
  workspace: Workspace,
  { fromMs, untilMs }: EvidenceRequest,
): Promise<{ evidence: UnsignedEvidence[]; gaps: string[] }> {
  const { report, title, html } = await reportCompliance(workspace, { fromMs, untilMs });
  const name = ['compliance', ...[report.from, report.until].map(compactTime)].join('-');
  const evidence: UnsignedEvidence = {
    ...{ kind: 'compliance', name, subjects: [], document: { name: `${name}.html`, text: `${html}\n` } },
    predicate: { title, recordedAt: report.until, report },
    events: [],
  };
  const whole = new Set(['untampered', 'consistent']);
  const gaps = report.ledgers.flatMap(({ repository, state }) => (whole.has(state) ? [] : [repository]));
  return { evidence: [evidence], gaps };
}
