export { redisCredentials, redisUsers } from './credentials.ts';
export { redisFailover } from './failover/index.ts';
export { createRedisSource } from './redis-source.ts';
