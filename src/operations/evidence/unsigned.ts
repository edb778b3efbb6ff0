import type { EvidenceKind, Subject } from '../../evidence/index.ts';
import type { LedgerEvent } from '../../ledger/index.ts';

/** An event that evidence rests on. Its id is its writer and its sequence, which `ledger export` has as well. */
export interface EventReference {
  repository: string;
  writer: string;
  sequence: number;
  kind: string;
  /** RFC 3339. */
  time: string;
}

/** A file to be handed out: evidence, or what it is about. */
export interface EvidenceFile {
  name: string;
  text: string;
}

/** What is to leave as evidence. */
export interface UnsignedEvidence {
  kind: EvidenceKind;
  /** How its file is called, without what names its form; the same of the same evidence. */
  name: string;
  /** What it is about, where that lies elsewhere. */
  subjects: readonly Subject[];
  /** What it is about, where that is handed out with it. */
  document?: EvidenceFile;
  /** What is said. */
  predicate: Readonly<Record<string, unknown>>;
  events: readonly EventReference[];
}

export function eventReference(repository: string, { writer, sequence, kind, time }: LedgerEvent): EventReference {
  return { repository, writer, sequence, kind, time };
}

/** A name that is one of a file, wherever. */
export function fileNameOf(...parts: readonly string[]): string {
  return parts.map((part) => part.replaceAll(/[^A-Za-z0-9._-]/g, '_')).join('-');
}

/** `20260511T060000Z` */
export function compactTime(time: string): string {
  return `${new Date(time).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}
