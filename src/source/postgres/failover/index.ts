import type { PostgresFailover } from '../../failover.ts';
import { divergence } from './divergence.ts';
import { fence, unfence } from './fence.ts';
import { promote } from './promote.ts';
import { reseed } from './reseed.ts';
import { lookAtServer } from './server-state.ts';

/** A failover of PostgreSQL, by SQL and by PostgreSQL's own programs. */
export const postgresFailover: PostgresFailover = { look: lookAtServer, fence, unfence, divergence, promote, reseed };
