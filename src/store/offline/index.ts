export { OfflineStore } from './offline-store.ts';
