/** Steps on Redis servers. */
import { identifier } from '../../values.ts';
import { filledIn, stepSchema } from './common.ts';

const source = identifier.meta({ description: 'The source whose server it is.' });

export const redis = [
  stepSchema('redis.promote', 'Makes a replica the master.', {
    source,
    url: filledIn('a URL', 'The replica, by a user that may.'),
  }),
  stepSchema('redis.reseed', 'The way back: makes a server the replica of another one.', {
    source,
    url: filledIn('a URL', "The server that is to follow; the source's own when left out.").optional(),
    from: filledIn('a URL', 'The server that it is to follow.'),
  }),
] as const;
