import { HoldfastError } from '../../foundation/errors.ts';
import { type Location, labelOf } from './location.ts';
import type { Session } from './session.ts';
import { sqlFile } from './sql-files.ts';

/** What a server answers about who runs it. */
export interface ServiceAnswers {
  /** Of the roles that were asked about, those that are there. */
  roles: readonly string[];
  superusers: readonly string[];
  /** What stands before the point in the names of its settings. */
  settingPrefixes: readonly string[];
}

interface ManagedService {
  name: string;
  /** What its settings begin with, before the point, and the names of its own superusers. */
  prefix: string;
  /** The roles that it gives its customers instead of a superuser. */
  customerRoles: readonly string[];
}

/**
 * Services that let their customers have the logical replication of single tables at most, and never BASE_BACKUP.
 * Sources: Cloud SQL's documentation, "About PostgreSQL users and roles"; Amazon RDS's, "Understanding PostgreSQL roles
 * and permissions"; Azure Database for PostgreSQL's, "Create users" and "Server parameters".
 */
const SERVICES: readonly ManagedService[] = [
  { name: 'Google Cloud SQL', prefix: 'cloudsql', customerRoles: ['cloudsqlsuperuser'] },
  { name: 'Amazon RDS', prefix: 'rds', customerRoles: ['rds_superuser'] },
  {
    name: 'Azure Database for PostgreSQL',
    prefix: 'azure',
    customerRoles: ['azure_pg_admin', 'azure_superuser'],
  },
];

/**
 * The managed service that a server is of, as far as it allows no physical replication. Pure.
 *
 * The service's roles alone prove nothing: they come along when somebody moves a database away from it. But there the
 * superusers are not only the service's own.
 */
export function recogniseService({ roles, superusers, settingPrefixes }: ServiceAnswers): string | undefined {
  const service = SERVICES.find(
    ({ prefix, customerRoles }) =>
      settingPrefixes.includes(prefix) ||
      (customerRoles.some((role) => roles.includes(role)) && superusers.every((role) => role.startsWith(prefix))),
  );
  return service?.name;
}

/** Asks a server for what `recogniseService` goes by. */
export async function managedServiceOf(session: Session): Promise<string | undefined> {
  const names = JSON.stringify(SERVICES.flatMap(({ customerRoles }) => customerRoles));
  const row = await session.one('ask who runs the server', sqlFile('service'), [names]);
  const list = (name: string) => JSON.parse(row[name] ?? '[]') as string[];
  return recogniseService({
    roles: list('roles'),
    superusers: list('superusers'),
    settingPrefixes: list('setting_prefixes'),
  });
}

/** Why a physical backup of a managed service cannot be had. */
export function managedServiceRefusal(location: Location, service: string): HoldfastError {
  return new HoldfastError(
    'source-unsupported',
    `${labelOf(location)} is on ${service}, which lets nobody have the replication that a physical backup is taken by`,
    {
      hint: "Say `method: logical` for this source in the plan: as much may be lost then as comes between two backups of its schedule. The service's own recovery to a point in time may stand beside it.",
      context: { database: labelOf(location), service },
    },
  );
}
