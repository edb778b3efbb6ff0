/** Something wrong with a repository, or worth knowing about it. */
export interface Finding {
  severity: 'error' | 'note';
  /** What it is about: an object's key, or a snapshot and a path in it. */
  where: string;
  message: string;
}

export interface CheckReport {
  snapshots: number;
  packs: number;
  blobs: number;
  /** Bytes of packs that were read and authenticated. */
  bytesRead: number;
  findings: Finding[];
}

export function addError(report: Pick<CheckReport, 'findings'>, where: string, message: string): void {
  report.findings.push({ severity: 'error', where, message });
}

export function addNote(report: Pick<CheckReport, 'findings'>, where: string, message: string): void {
  report.findings.push({ severity: 'note', where, message });
}
