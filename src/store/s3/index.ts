export { createS3Bucket } from './s3-bucket.ts';
export { createS3Store } from './s3-store.ts';
