/** Steps on PostgreSQL servers. */
import { identifier } from '../../values.ts';
import { filledIn, stepSchema, template } from './common.ts';

const source = identifier.meta({ description: 'The source whose server it is.' });
const standby = identifier.meta({ description: 'The standby, by its name in `standbys`.' });

export const postgres = [
  stepSchema('postgres.fence', 'Keeps a primary from taking writes: no new ones, and sessions ended.', {
    source,
    url: filledIn('a URL', "The server, by a user that may fence it; the source's own when left out.").optional(),
  }),
  stepSchema('postgres.promote', 'Makes a standby the primary.', {
    standby,
    url: filledIn('a URL', "The standby, by a user that may promote it; the standby's own when left out.").optional(),
  }),
  stepSchema('postgres.reseed', 'The way back: makes an old primary a standby of the new one.', {
    source,
    from: filledIn('a URL', 'The server that it is to follow.'),
    directory: template('a directory', 'The data directory, on this machine, of the server that is stopped.'),
  }),
] as const;
