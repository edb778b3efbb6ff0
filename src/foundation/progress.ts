/** How much there is to do, as far as it is known. */
export interface Total {
  bytes?: number;
  items?: number;
}

/**
 * How long work tells what it has done. The command line draws it; operations and sources only count.
 * Calls are cheap and may come thousands of times a second.
 */
export interface Progress {
  /**
   * A new phase begins, with what is known of its size. Counters start again at zero.
   * @param total what has to be found out first is found out by a function, once the phase is shown to somebody
   */
  phase(name: string, total?: Total | (() => Promise<Total>)): void;
  /** So much more is done in this phase. */
  advance(done: Total): void;
  /** Something a person should know while the work goes on. */
  note(message: string): void;
  /** The work is over, however it ended: nothing more is to be shown of it. */
  finish(): void;
}

export const noProgress: Progress = {
  phase: () => {},
  advance: () => {},
  note: () => {},
  finish: () => {},
};
