/** A source that tells of its changes as they happen, so that they are captured as they happen. */
export interface WatchedSource {
  /**
   * Begins to watch. Whatever changes after it has resolved is told: who then captures everything misses nothing.
   * @throws what trying again does not mend: source-unsupported, source-refused
   */
  watch(context: WatchContext): Promise<Watch>;
}

export interface WatchContext {
  /** Something changed that was not taken yet. */
  onChange(): void;
  /** What a person should know: a limit of the system, a watch that was lost. */
  note(message: string): void;
}

/** Where a source changed: anywhere, or in these places and no others. What a place is called is the source's own matter. */
export type Changes = 'anywhere' | ReadonlySet<string>;

/** What watches a source, until it is closed. */
export interface Watch {
  /** What changed since the last call; nothing is an empty set. */
  take(): Changes;
  /** Whether something of the source is not watched, so that its changes are found only by looking at everything. */
  readonly isIncomplete: boolean;
  close(): Promise<void>;
}
