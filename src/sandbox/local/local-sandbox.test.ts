import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { requires } from '../../../test/support/requirements.ts';
import { systemClock } from '../../foundation/clock.ts';
import { listPostgresPrograms } from '../../foundation/postgres-programs.ts';
import { noProgress } from '../../foundation/progress.ts';
import type { SandboxNeed, SandboxTarget } from '../sandbox.ts';
import { createLocalSandbox } from './local-sandbox.ts';

const sandbox = createLocalSandbox({ clock: systemClock });

describe('a sandbox directory', () => {
  it('is empty, for its user alone, and removed with all that is in it', async () => {
    const { target, close } = await sandbox.open({ kind: 'directory' }, noProgress);
    if (target.kind !== 'directory') throw new Error('not a directory');
    expect(readdirSync(target.path)).toEqual([]);
    expect(statSync(target.path).mode & 0o777).toBe(0o700);
    writeFileSync(join(target.path, 'file'), 'restored');
    await close();
    await close();
    expect(existsSync(target.path)).toBe(false);
  });

  it('is a clear error where it cannot be made', async () => {
    const nowhere = createLocalSandbox({ clock: systemClock, parentDirectory: '/nonexistent' });
    await expect(nowhere.open({ kind: 'directory' }, noProgress)).rejects.toMatchObject({ code: 'sandbox-failed' });
  });
});

describe.skipIf(!requires('postgresql'))('a sandbox database', () => {
  let majorVersion = 0;
  let opened: SandboxTarget | undefined;

  beforeAll(async () => {
    majorVersion = (await listPostgresPrograms(['initdb', 'postgres']))[0]!.majorVersion;
  });

  beforeEach(() => {
    opened = undefined;
  });

  afterEach(async () => {
    vi.unstubAllEnvs();
    await opened?.close();
  });

  async function openDatabase(need: Partial<SandboxNeed & { kind: 'postgres' }> = {}): Promise<SandboxTarget> {
    const usual = { encoding: 'UTF8', collate: 'C.UTF-8', ctype: 'C.UTF-8', newerServes: false, majorVersion };
    opened = await sandbox.open({ kind: 'postgres', ...usual, ...need }, noProgress);
    return opened;
  }

  it('is empty, has the encoding and locale asked for, and is gone after close', async () => {
    const { target, notes, close } = await openDatabase({ encoding: 'LATIN1', collate: 'C', ctype: 'C' });
    expect(target).toMatchObject({ kind: 'database', sandbox: true });
    expect(notes).toEqual([]);
    expect(await localeOf(target)).toEqual({ encoding: 'LATIN1', datcollate: 'C', datctype: 'C', tables: '0' });
    await close();
    await expect(localeOf(target)).rejects.toThrow(/ENOENT/);
  });

  it('says so when another locale stood in for one that is not on this machine', async () => {
    const { target, notes } = await openDatabase({ collate: 'xx_YY.UTF-8', ctype: 'xx_YY.UTF-8' });
    expect(notes).toEqual([expect.stringMatching(/xx_YY\.UTF-8 is not on this machine: C\.UTF-8 stood in/)]);
    expect(await localeOf(target)).toMatchObject({ encoding: 'UTF8', datcollate: 'C.UTF-8' });
  });

  it('takes a stand-in that goes with the encoding', async () => {
    const { target } = await openDatabase({ encoding: 'LATIN1', collate: 'xx_YY', ctype: 'xx_YY' });
    expect(await localeOf(target)).toMatchObject({ encoding: 'LATIN1', datcollate: 'C' });
  });

  it('leaves nothing when the database cannot be made', async () => {
    const parentDirectory = mkdtempSync(join(tmpdir(), 's-'));
    chmodSync(parentDirectory, 0o711);
    const own = createLocalSandbox({ clock: systemClock, parentDirectory });
    const need = {
      kind: 'postgres',
      majorVersion,
      newerServes: false,
      encoding: 'NOSUCH',
      collate: 'C',
      ctype: 'C',
    } as const;
    await expect(own.open(need, noProgress)).rejects.toMatchObject({ code: 'sandbox-failed' });
    expect(readdirSync(parentDirectory)).toEqual([]);
    rmSync(parentDirectory, { recursive: true });
  });

  it('is not provable where the server programs of that version are missing, and says what to install', async () => {
    const expected = { code: 'not-provable', hint: expect.stringMatching(/postgresql-77/) };
    await expect(openDatabase({ majorVersion: 77 })).rejects.toMatchObject(expected);
    await expect(openDatabase({ majorVersion: 77, newerServes: true })).rejects.toMatchObject(expected);
  });

  it('is not provable where there are no server programs at all', async () => {
    vi.stubEnv('HOLDFAST_POSTGRES_BIN', '/nonexistent');
    await expect(openDatabase()).rejects.toMatchObject({ code: 'not-provable' });
  });

  it('takes a newer server where that serves, and says so', async () => {
    const { notes } = await openDatabase({ majorVersion: majorVersion - 1, newerServes: true });
    expect(notes).toEqual([expect.stringContaining(`stood in for ${majorVersion - 1}`)]);
  });

  it('does not take a newer server where that does not serve', async () => {
    await expect(openDatabase({ majorVersion: 9 })).rejects.toMatchObject({ code: 'not-provable' });
  });
});

async function localeOf(target: SandboxTarget['target']): Promise<unknown> {
  if (target.kind !== 'database') throw new Error('not a database');
  const client = new pg.Client({ connectionString: target.url });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query(
      `select pg_encoding_to_char(encoding) as encoding, datcollate, datctype,
              (select count(*) from pg_class where relnamespace = 'public'::regnamespace) as tables
         from pg_database where datname = current_database()`,
    );
    return rows[0];
  } finally {
    await client.end();
  }
}
