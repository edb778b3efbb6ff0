/** Something wrong with a repository, or worth knowing about it. */
export interface Finding {
  severity: 'error' | 'note';
  /** What it is about: an object's key, or a snapshot and a path in it. */
  where: string;
  message: string;
  /** Of damage in snapshots: the ids of all that have it, and the path in them, fit to be shown. */
  snapshots?: string[];
  path?: string;
  /** Of a log: the part of it that is damaged or missing. */
  log?: DamagedLog;
}

export interface DamagedLog {
  plan: string;
  source: string;
  system: string;
  timeline: number;
  /** As the server writes positions; `end` is the first byte that is not concerned. */
  start: string;
  end: string;
  /** RFC 3339, the server's clock: what the part has was written after the one and until the other, as far as is known. */
  after?: string;
  until?: string;
}

export interface CheckReport {
  snapshots: number;
  packs: number;
  blobs: number;
  /** Packs that were read whole. */
  packsRead: number;
  /** Bytes of packs that were read and authenticated. */
  bytesRead: number;
  findings: Finding[];
}

export function newReport(): CheckReport {
  return { snapshots: 0, packs: 0, blobs: 0, packsRead: 0, bytesRead: 0, findings: [] };
}

export function addError(
  report: Pick<CheckReport, 'findings'>,
  where: string,
  message: string,
  more: Pick<Finding, 'snapshots' | 'path'> = {},
): void {
  report.findings.push({ severity: 'error', where, message, ...more });
}

export function addNote(report: Pick<CheckReport, 'findings'>, where: string, message: string): void {
  report.findings.push({ severity: 'note', where, message });
}
