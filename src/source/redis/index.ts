export { createRedisSource } from './redis-source.ts';
