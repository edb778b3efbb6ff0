export { FaultyStore, type StoreCall } from './faulty-store.ts';
