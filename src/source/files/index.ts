export { createBucketSource } from './bucket/bucket-source.ts';
export { createFilesSource } from './files-source.ts';
