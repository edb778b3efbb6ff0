export { createGcsStore } from './gcs-store.ts';
