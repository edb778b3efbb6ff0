import type { EventBodies } from '../../ledger/index.ts';

/**
 * What was shown. Subjects: of `backup`, `proof`, `restore` and `retention` a source; of `verification`, `group`, `report`,
 * `review`, `channel`, `mirror`, `archive` its name; of `check` a repository; of `drill`, `incident` and `meeting`, which is the review
 * after either, a runbook, or `rescue`; of `checkpoint` and `kit` nothing; of `step` `RUNBOOK.STEP`; of `alert` a rule; of `breach` an incident.
 */
export type Shown =
  | 'backup'
  | 'proof'
  | 'restore'
  | 'retention'
  | 'verification'
  | 'group'
  | 'check'
  | 'checkpoint'
  | 'mirror'
  | 'archive'
  | 'drill'
  | 'incident'
  | 'meeting'
  | 'step'
  | 'breach'
  | 'review'
  | 'report'
  | 'channel'
  | 'kit'
  | 'alert';

export interface Showing {
  what: Shown;
  subject: string;
  /** RFC 3339. */
  at: string;
  /** `missed`: it came to its end, and not as promised. `failed`: it shows nothing but that. */
  result: 'done' | 'partial' | 'missed' | 'failed';
  /** What was measured: of a drill and an incident the time until people could work again. */
  durationMs?: number;
  /** More of it, for people. */
  words?: string;
}

/** What earlier events told, and when this one came. */
export interface Known {
  /** RFC 3339. */
  at: string;
  /** Of drills and incidents, by their ids. */
  runbooks: ReadonlyMap<string, string>;
  /** Since when personal data was known to be in others' hands, by incident; RFC 3339. */
  breaches: ReadonlyMap<string, string>;
}

export type Found = Omit<Showing, 'at'>;

/** Of kinds of events, what one of them shows; nothing where this one does not. */
export type ShowsByKind = {
  readonly [Kind in keyof EventBodies]?: (body: EventBodies[Kind], known: Known) => Found | Found[] | undefined;
};
