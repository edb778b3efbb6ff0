import type { EventBodies, EventKind } from '../../ledger/index.ts';

/** Where what was done is recorded: a ledger, or what keeps events while none is in reach. */
export interface Recorder {
  append<Kind extends EventKind>(kind: Kind, body: EventBodies[Kind]): Promise<unknown>;
}
