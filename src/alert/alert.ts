import type { RuleName, Severity } from '../plan/index.ts';

/** Open until it is resolved; acknowledged once somebody has said that they see to it. */
export type AlertState = 'open' | 'acknowledged' | 'resolved';

/** Something that is wrong, for as long as it is. Times are RFC 3339. */
export interface Alert {
  /** Of this alert alone; what comes again after it was resolved is another. */
  id: string;
  rule: RuleName;
  /** What it is about: the name of a source, a repository, a service, a channel. At most one of a rule and subject is open. */
  subject: string;
  severity: Severity;
  state: AlertState;
  /** What happened: one sentence for a person, without a secret. */
  message: string;
  /** Since when it is so, which may be before it was seen. */
  since: string;
  raisedAt: string;
  /** What it endangers, in words. */
  endangers: string;
  /** The command that mends it, or shows what is wrong. */
  command: string;
  /** Names of the runbooks whose symptoms it matches. */
  runbooks: readonly string[];
  /** Whom to call. */
  contacts: readonly CalledPerson[];
  acknowledgedBy?: string;
  resolvedAt?: string;
}

export interface CalledPerson {
  role: string;
  name?: string;
  phone?: string;
  email?: string;
}
