import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import { initialiseDirectory, type StartedDirectory, startDirectory } from '../support/data-directory.ts';
import { PhysicalRepository } from '../support/physical.ts';
import { failure } from '../support/postgres-source.ts';
import { requires } from '../support/requirements.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const SETTINGS = { wal_level: 'replica', max_wal_senders: '2' };

describe.skipIf(!requires('postgresql', 'restic'))('a physical backup that cannot be taken', () => {
  const repository = new PhysicalRepository();
  let directory: string;
  let hba: string;
  let server: StartedDirectory;

  beforeAll(async () => {
    directory = await initialiseDirectory(BIN);
    hba = readFileSync(join(directory, 'pg_hba.conf'), 'utf8');
  });
  afterEach(async () => {
    await settled(server.stop());
    writeFileSync(join(directory, 'pg_hba.conf'), hba);
  });

  async function start(settings: Record<string, string> = SETTINGS): Promise<void> {
    server = await startDirectory(BIN, directory, { settings });
  }
  const refusal = async (role = 'postgres') => failure(repository.backup(server.url('postgres', role)));

  it('says which role must be given what', async () => {
    await start();
    await server.query('create role "Back up" login');
    expect(await refusal('Back%20up')).toMatchObject({
      code: 'source-refused',
      hint: 'Run as a superuser: ALTER ROLE "Back up" REPLICATION;',
    });
    await server.query('alter role "Back up" replication');
    await repository.backup(server.url('postgres', 'Back%20up'));
  });

  it('says the lines for a server that writes too little into its log', async () => {
    await start({ wal_level: 'minimal', max_wal_senders: '0' });
    expect(await refusal()).toMatchObject({
      code: 'source-unsupported',
      hint: expect.stringMatching(/`wal_level = replica` and `max_wal_senders = 10`/),
    });
  });

  it('says the line for a server whose senders are all taken', async () => {
    await start();
    const others = [1, 2].map(
      () => new pg.Client({ connectionString: server.url('postgres'), replication: 'true' } as pg.ClientConfig),
    );
    for (const other of others) await other.connect();
    try {
      expect(await refusal()).toMatchObject({
        code: 'source-refused',
        retryable: true,
        hint: expect.stringMatching(/`max_wal_senders = 7`/),
      });
    } finally {
      for (const other of others) await other.end();
    }
  });

  it('says the line for a server that lets nobody in for replication', async () => {
    writeFileSync(join(directory, 'pg_hba.conf'), 'local all all trust\n');
    await start();
    expect(await refusal()).toMatchObject({
      code: 'source-refused',
      message: expect.stringMatching(/does not let postgres in for replication/),
      hint: 'Put the line `local replication postgres peer` into its pg_hba.conf, and run: SELECT pg_reload_conf();',
    });
  });

  it('says the line for a server without slots', async () => {
    await start({ ...SETTINGS, max_replication_slots: '0' });
    expect(await refusal()).toMatchObject({ hint: expect.stringMatching(/`max_replication_slots = 10`/) });
  });

  it('says how to free a slot where all are taken', async () => {
    await start({ ...SETTINGS, max_replication_slots: '1' });
    await server.query(`select pg_create_physical_replication_slot('taken')`);
    expect(await refusal()).toMatchObject({
      code: 'source-refused',
      hint: expect.stringMatching(/max_replication_slots.*pg_replication_slots WHERE NOT active/),
    });
    await server.query(`select pg_drop_replication_slot('taken')`);
  });
});
