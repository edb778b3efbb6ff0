import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testDirectory } from '../../test/support/repository.ts';
import { parseLocation as parsePostgres } from './postgres/location.ts';
import { tlsOptions as postgresTls } from './postgres/tls.ts';
import { parseLocation as parseRedis } from './redis/connection/location.ts';
import { tlsOptions as redisTls } from './redis/connection/tls.ts';

const directory = testDirectory();

it.each([
  ['PostgreSQL', (file: string) => postgresTls(parsePostgres(`postgresql://h/d?sslrootcert=${file}`), 'verify-full')],
  ['Redis', (file: string) => redisTls(parseRedis(`rediss://h?cacert=${file}`).tls!, 'h')],
])(
  'a certificate that an address of %s names is read from a file, and waited for in no pipe',
  async (name, options) => {
    const [file, pipe] = [join(directory, 'ca.pem'), join(directory, `pipe-${name}`)];
    writeFileSync(file, 'a certificate');
    execFileSync('mkfifo', [pipe]);
    expect((await options(file)).ca?.toString()).toBe('a certificate');
    for (const [path, says] of [
      [pipe, /it is a pipe or a device/],
      [join(directory, 'none'), /none, which .*cannot be read: no such file or directory/],
    ] as const) {
      await expect(options(path)).rejects.toMatchObject({
        code: 'source-refused',
        message: expect.stringMatching(says),
      });
    }
  },
);
