import type { Alert } from './alert.ts';

/** Alerts of one kind of news, which belong together. */
export interface AlertMessage {
  kind: 'raised' | 'updated' | 'acknowledged' | 'resolved';
  /** The name of the plan. */
  plan: string;
  /** At least one. */
  alerts: readonly Alert[];
  /** Why it comes here: a rung of the ladder such as `30m, lead`, or `route`. */
  reason: string;
  /** Where whoever gets it can acknowledge, a signed link of its own for each alert by its id. Without `serve` there is none. */
  acknowledgeUrls?: Readonly<Record<string, string>>;
}

export interface ReportMessage {
  kind: 'report';
  plan: string;
  title: string;
  /** The same in three forms. */
  text: string;
  markdown: string;
  html: string;
}

/** That the channel works: sent by `doctor` and `alert test`. */
export interface TestMessage {
  kind: 'test';
  plan: string;
  text: string;
}

export type Message = AlertMessage | ReportMessage | TestMessage;

/**
 * Where alerts go. What is sent twice does no harm where the other side can know it again, by the id of the alert.
 */
export interface Channel {
  /** Whether it takes messages of a kind: a heartbeat takes none, PagerDuty no reports. */
  takes(kind: Message['kind']): boolean;
  /**
   * Resolves once the other side has taken the message.
   * @throws channel-failed, retryable where the same may succeed later, or the reason of the signal
   */
  send(message: Message, signal: AbortSignal): Promise<void>;
  /** Of a heartbeat: says that all is well. @throws channel-failed */
  beat?(signal: AbortSignal): Promise<void>;
}
