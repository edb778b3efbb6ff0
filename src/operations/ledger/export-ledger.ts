import { HoldfastError } from '../../foundation/errors.ts';
import { writeNewFile } from '../../foundation/new-file.ts';
import { sourcesOf } from '../../ledger/index.ts';
import type { Workspace } from '../workspace.ts';
import { type LoggedEvent, type LogRequest, ledgerLog, ledgerNames } from './ledger-log.ts';

export type ExportFormat = 'jsonl' | 'csv';

export interface Exported {
  format: ExportFormat;
  events: number;
  /** Where it was written, absolute; else `text` has it. */
  out?: string;
  text?: string;
}

/** Two people read a ledger with different programs: what a spreadsheet would take for a formula is marked as text. */
const FORMULA = /^[=+\-@\t\r]/;
const COLUMNS = ['time', 'repository', 'kind', 'sources', 'actor', 'writer', 'sequence', 'previous', 'body'] as const;
const FILE_MODE = 0o600;

/**
 * Writes events down for other programs, and records in each ledger that this was done, before anything is handed out.
 * @param request.out a file that is not there yet; the text is given back without one
 * @throws target-not-empty, and what writing it runs into; what reading the ledger throws
 */
export async function exportLedger(
  workspace: Workspace,
  { format, out, ...query }: LogRequest & { format: ExportFormat; out?: string },
): Promise<Exported> {
  const logged = await ledgerLog(workspace, query);
  const text = format === 'csv' ? csvOf(logged) : jsonLinesOf(logged);
  for (const name of ledgerNames(workspace, query.repository)) {
    const events = logged.filter(({ repository }) => repository === name).length;
    const home = workspace.plan.mirrors.get(name)?.of ?? name;
    await workspace.recorder(home).record('ledger.exported', { repository: name, format, events });
  }
  if (out === undefined) return { format, events: logged.length, text };
  if (!(await writeNewFile(out, text, FILE_MODE))) {
    throw new HoldfastError('target-not-empty', `${out} is there already`, {
      hint: 'Name another file, or remove it.',
    });
  }
  return { format, events: logged.length, out };
}

function jsonLinesOf(logged: readonly LoggedEvent[]): string {
  return logged.map(({ event, ...where }) => `${JSON.stringify({ ...where, ...event })}\n`).join('');
}

function csvOf(logged: readonly LoggedEvent[]): string {
  const rows = logged.map(({ repository, event }) => {
    const { time, kind, actor, writer, sequence, previous, body } = event;
    const sources = sourcesOf(event).join(' ');
    return [time, repository, kind, sources, actor, writer, String(sequence), previous ?? '', JSON.stringify(body)];
  });
  return [COLUMNS, ...rows].map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

/** As RFC 4180 has it. */
function csvCell(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) || safe !== text ? `"${safe.replaceAll('"', '""')}"` : safe;
}
