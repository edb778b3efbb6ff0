/** What was wrong, and who was told. Times are RFC 3339. */
export interface AlertEvents {
  'alert.raised': AlertRaised;
  'alert.updated': AlertUpdated;
  'alert.acknowledged': { alert: string; by: string; note?: string };
  'alert.resolved': { alert: string; message?: string };
  /** `by` is whose call it was, where that is not the actor: of the API. */
  'alert.muted': { rule: string; subject?: string; until: string; why: string; by?: string };
  'alert.notified': AlertNotified;
}

export interface AlertRaised {
  alert: string;
  rule: string;
  subject: string;
  severity: string;
  message: string;
  since: string;
  endangers: string;
  command: string;
  runbooks?: string[];
}

/** What an alert says now. Earlier versions recorded neither since when, nor what it endangers, nor the command. */
export interface AlertUpdated extends Partial<Pick<AlertRaised, 'since' | 'endangers' | 'command'>> {
  alert: string;
  message: string;
  severity: string;
}

/** A channel was told, or could not be. */
export interface AlertNotified {
  alerts: string[];
  news: 'raised' | 'updated' | 'acknowledged' | 'resolved';
  channel: string;
  /** The channel that failed, and that this one was told for. */
  insteadOf?: string;
  /** A rung of the ladder such as `30m, lead`, or `route`. */
  reason: string;
  outcome: 'delivered' | 'failed';
  attempts: number;
  /** What the message knew of each of the alerts, in their order: more may have come while it was on its way. */
  knew?: AlertStand[];
  code?: string;
  message?: string;
}

/** How many changes of an alert there were, and whether somebody saw to it. */
export interface AlertStand {
  changes: number;
  acknowledged: boolean;
}
