export { createGcsBucket } from './gcs-bucket.ts';
export { createGcsStore } from './gcs-store.ts';
