export { createS3Store } from './s3-store.ts';
