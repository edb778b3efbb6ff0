import { describe, expect, it } from 'vitest';
import { recogniseService } from './managed-service.ts';

const NOTHING = { roles: [], superusers: ['postgres'], settingPrefixes: [] };

describe('a managed service', () => {
  it.each([
    ['cloudsql', 'Google Cloud SQL'],
    ['rds', 'Amazon RDS'],
    ['azure', 'Azure Database for PostgreSQL'],
  ])('is recognised by its settings, %s.*', (prefix, name) => {
    expect(recogniseService({ ...NOTHING, settingPrefixes: ['auto_explain', prefix] })).toBe(name);
  });

  it.each([
    ['cloudsqlsuperuser', ['cloudsqladmin'], 'Google Cloud SQL'],
    ['rds_superuser', ['rdsadmin'], 'Amazon RDS'],
    ['azure_pg_admin', ['azuresu'], 'Azure Database for PostgreSQL'],
    ['azure_superuser', ['azure_superuser'], 'Azure Database for PostgreSQL'],
  ])('is recognised by the role %s and by its own superusers', (role, superusers, name) => {
    expect(recogniseService({ roles: [role], superusers, settingPrefixes: [] })).toBe(name);
  });

  it('is none where its roles came along with a database that was moved away from it', () => {
    expect(
      recogniseService({ ...NOTHING, roles: ['rds_superuser'], superusers: ['postgres', 'rdsadmin'] }),
    ).toBeUndefined();
  });

  it('is none that has only extensions of its own', () => {
    expect(recogniseService({ ...NOTHING, settingPrefixes: ['pg_stat_statements', 'rdsx'] })).toBeUndefined();
  });
});
