export type * from './events.ts';
export { Ledger, type LedgerStorage } from './ledger.ts';
