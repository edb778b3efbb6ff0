/** Steps that look at the services that people use. */
import { duration, identifier } from '../../values.ts';
import { names, stepSchema } from './common.ts';

export const watching = [
  stepSchema('service.check', 'Asks a service whether it is up.', {
    service: identifier.meta({ description: 'The service.' }),
  }),
  stepSchema('monitor', 'Watches services for a while, and says what it saw.', {
    services: names('services', 'What is watched.'),
    for: duration('How long.'),
  }),
] as const;
