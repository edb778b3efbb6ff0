export { type Fault, FaultyStore, type StoreCall } from './faulty-store.ts';
