import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPostgresPrograms, listPostgresPrograms } from './postgres-programs.ts';

let directory: string;

async function fakePrograms(name: string, version: string, programs: string[]): Promise<string> {
  const bin = join(directory, name);
  await mkdir(bin);
  for (const program of programs) {
    await writeFile(join(bin, program), `#!/bin/sh\necho '${program} (PostgreSQL) ${version}'\n`);
    await chmod(join(bin, program), 0o755);
  }
  return bin;
}

let fourteen: string;
let sixteen: string;
let seventeen: string;
let mixed: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-programs-'));
  fourteen = await fakePrograms('fourteen', '14.9 (Debian 14.9-1)', ['pg_dump', 'pg_restore']);
  seventeen = await fakePrograms('seventeen', '17.2', ['pg_dump', 'pg_restore', 'initdb']);
  sixteen = await fakePrograms('sixteen', '16.1', ['pg_dump', 'pg_restore']);
  mixed = await fakePrograms('mixed', '15.1', ['pg_dump']);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const environment = (...directories: string[]) => ({
  PATH: process.env['PATH'],
  HOLDFAST_POSTGRES_BIN: directories.join(':'),
});

describe('findPostgresPrograms', () => {
  it('chooses the lowest version that serves', async () => {
    const all = environment(fourteen, seventeen, sixteen);
    const found = await findPostgresPrograms({ programs: ['pg_dump', 'pg_restore'], atLeastMajor: 15 }, all);
    expect(found).toMatchObject({ majorVersion: 16, version: '16.1', binDirectory: sixteen });
    expect(found.path('pg_dump')).toBe(join(sixteen, 'pg_dump'));
  });

  it('wants all of the programs in one place', async () => {
    const found = await findPostgresPrograms(
      { programs: ['pg_dump', 'initdb'], atLeastMajor: 15 },
      environment(mixed, sixteen, seventeen),
    );
    expect(found.majorVersion).toBe(17);
  });

  it('asks a directory once, whatever leads to it', async () => {
    const asked = join(directory, 'asked');
    const bin = await fakePrograms('counted', '16.2', []);
    await writeFile(join(bin, 'psql'), `#!/bin/sh\necho once >> ${asked}\necho 'psql (PostgreSQL) 16.2'\n`, {
      mode: 0o755,
    });
    const link = join(directory, 'link');
    await symlink(bin, link);
    expect(await listPostgresPrograms(['psql'], environment(link, bin, `${bin}/`))).toMatchObject([
      { binDirectory: link },
    ]);
    expect(await readFile(asked, 'utf8')).toBe('once\n');
  });

  it('names the package when there is none', async () => {
    const search = findPostgresPrograms({ programs: ['initdb'], atLeastMajor: 16 }, environment(mixed, '/nowhere'));
    await expect(search).rejects.toMatchObject({
      code: 'program-missing',
      hint: expect.stringContaining('postgresql-16 '),
    });
  });

  it('names the versions when they are too old', async () => {
    const search = findPostgresPrograms({ programs: ['pg_dump'], atLeastMajor: 18 }, environment(fourteen, sixteen));
    await expect(search).rejects.toMatchObject({
      code: 'program-too-old',
      message: 'pg_dump must be of PostgreSQL 18 or newer, and only 14.9, 16.1 is here',
      hint: expect.stringContaining('postgresql-client-18'),
    });
  });

  it('honours the highest version that serves', async () => {
    const search = findPostgresPrograms(
      { programs: ['pg_dump'], atLeastMajor: 15, atMostMajor: 15 },
      environment(fourteen, sixteen),
    );
    await expect(search).rejects.toMatchObject({ code: 'program-too-old' });
  });
});
