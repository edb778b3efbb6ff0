/**
 * How long work tells what it has done. The command line draws it; operations and sources only count.
 * Calls are cheap and may come thousands of times a second.
 */
export interface Progress {
  /** A new phase begins, with what is known of its size. Counters start again at zero. */
  phase(name: string, total?: { bytes?: number; items?: number }): void;
  /** So much more is done in this phase. */
  advance(done: { bytes?: number; items?: number }): void;
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
