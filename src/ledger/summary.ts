import type { LedgerEvent } from './events.ts';

/** What is made of all events of a ledger, one after the other, oldest first: so that none has to be read twice. */
export interface Summary<State> {
  /** Letters, digits and hyphens, and another one for each form of the state: a part of the name of the file that keeps it. */
  name: string;
  /** Of no event. A state is of what `structuredClone` takes. */
  initial(): State;
  /** Takes an event into a state, which it may change. Events are shared, and stay as they are. */
  add(state: State, event: LedgerEvent): void;
  /** A state that changes by itself from then on. It may share events. */
  copy(state: State): State;
}
