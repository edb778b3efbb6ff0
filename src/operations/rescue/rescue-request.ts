import type { RecallOptions } from '../archives/recall.ts';

export interface RescueRequest {
  /** The sealed kit, and its passphrase or shares of it. */
  kit: { file: string; passphrase: string };
  /** A directory, in which each source gets one of its own, and `SOURCE=TARGET` for those that go elsewhere; as given. */
  to: readonly string[];
  /** A moment: RFC 3339, `2h ago`, or `latest`, which is now. */
  at?: string;
  /** When the disaster was, from which the RTO counts; the start of the rescue, when left out. */
  since?: string;
  /** That each source is proven in a sandbox before it is brought back. */
  prove?: boolean;
  /** The task of the daemon, of a drill. */
  task?: string;
  recall?: Partial<RecallOptions>;
}
