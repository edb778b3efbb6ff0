import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../foundation/errors.ts';
import type { TextOrReference } from './reference-schema.ts';
import { resolveReferences, resolveSecret } from './secrets.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'secrets-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

const node = process.execPath;
const env = { PASSWORD: 'hunter2', LINE: 'hunter2\r\n\n', EMPTY: '', BLANK: '\n', PATH: process.env['PATH'] };

function resolve(value: TextOrReference): Promise<string> {
  return resolveSecret(value, { directory, env });
}

function secretFile(content: string | Uint8Array, mode = 0o600): { file: string } {
  const path = join(directory, 'secret');
  writeFileSync(path, content);
  chmodSync(path, mode);
  return { file: 'secret' };
}

/** The error of a reference, which must not contain the secret in any of its parts. */
async function failure(value: TextOrReference): Promise<HoldfastError> {
  const error = await resolve(value).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof HoldfastError)) throw new Error('it did not fail as it should');
  expect(error.code).toBe('secret-unavailable');
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
  return error;
}

test('a text stands for itself', async () => {
  expect(await resolve('as it is\n')).toBe('as it is\n');
});

describe('a variable', () => {
  test('gives its value without the newlines at its end', async () => {
    expect(await resolve({ env: 'PASSWORD' })).toBe('hunter2');
    expect(await resolve({ env: 'LINE' })).toBe('hunter2');
  });

  test.each([
    ['MISSING', 'the environment variable MISSING is not set'],
    ['EMPTY', 'the environment variable EMPTY is empty'],
    ['BLANK', 'the environment variable BLANK is empty'],
    ['toString', 'the environment variable toString is not set'],
  ])('%s gives none', async (name, message) => {
    expect((await failure({ env: name })).message).toBe(message);
  });
});

describe('a file', () => {
  test('gives its content, from the directory of the plan', async () => {
    expect(await resolve(secretFile(' hunter2 \n'))).toBe(' hunter2 ');
    expect(await resolve({ file: join(directory, 'secret') })).toBe(' hunter2 ');
  });

  test.each([0o640, 0o604, 0o660, 0o620, 0o601])('that others may touch is refused (mode %o)', async (mode) => {
    const error = await failure(secretFile('hunter2', mode));
    expect(error.message).toBe(`the file secret can be read by others (mode 0${mode.toString(8)})`);
    expect(error.hint).toBe(`Run: chmod 600 '${join(directory, 'secret')}'`);
  });

  test('that is empty, missing, no file, no text or far too large is refused', async () => {
    expect((await failure(secretFile('\n'))).message).toBe('the file secret is empty');
    expect((await failure({ file: 'elsewhere' })).message).toBe('the file elsewhere does not exist');
    expect((await failure({ file: '.' })).message).toBe('the file . is not a regular file');
    expect((await failure(secretFile(new Uint8Array([0x68, 0xff])))).message).toBe('the file secret is not UTF-8 text');
    expect((await failure(secretFile('hunter2'.repeat(10_000)))).message).toBe(
      'the file secret is too large for a secret',
    );
  });

  test('that is a pipe nobody writes to does not hang', async () => {
    execFileSync('/bin/sh', ['-c', 'mkfifo -m 600 "$1"', 'sh', join(directory, 'pipe')]);
    expect((await failure({ file: 'pipe' })).message).toBe('the file pipe is not a regular file');
  });
});

describe('a command', () => {
  test('gives what it prints, run in the directory of the plan without a shell', async () => {
    const script = 'console.log(require("fs").realpathSync(".") + process.argv[1])';
    const printed = await resolve({ command: [node, '-e', script, '$(x)'] });
    expect(printed.endsWith('$(x)')).toBe(true);
    expect(printed).toContain('secrets-');
  });

  test('sees the environment that it is given', async () => {
    expect(await resolve({ command: [node, '-e', 'console.log(process.env.PASSWORD)'] })).toBe('hunter2');
  });

  test('does not wait for input', async () => {
    const script = 'process.stdin.on("end", () => console.log("done")).resume()';
    expect(await resolve({ command: [node, '-e', script] })).toBe('done');
  });

  test('that fails is told by its status, and by nothing it printed or was given', async () => {
    const script = 'console.log("hunter2"); console.error("hunter2"); process.exit(3)';
    const error = await failure({ command: [node, '-e', script] });
    expect(error.message).toBe(`the command ${node} ended with status 3`);
  });

  test('that is missing, killed, silent or endless is refused', async () => {
    expect((await failure({ command: ['no-such-program', 'hunter2'] })).message).toBe(
      'the command no-such-program does not exist',
    );
    expect((await failure({ command: [node, '-e', 'process.kill(process.pid)'] })).message).toContain(
      'ended by SIGTERM',
    );
    expect((await failure({ command: [node, '-e', ''] })).message).toBe(`the command ${node} is empty`);
    const endless = 'process.stdout.write("hunter2".repeat(20_000))';
    expect((await failure({ command: [node, '-e', endless] })).message).toContain('printed more than a secret holds');
  });

  test('ends when the work is interrupted', async () => {
    const signal = AbortSignal.timeout(100);
    const waiting = resolveSecret(
      { command: [node, '-e', 'setTimeout(() => {}, 60_000)'] },
      { directory, env, signal },
    );
    await expect(waiting).rejects.toMatchObject({
      code: 'secret-unavailable',
      message: expect.stringContaining('interrupted'),
    });
  });
});

test('every reference inside of a value is resolved, and nothing else is touched', async () => {
  const value = {
    url: { env: 'PASSWORD' },
    paths: ['/a', { env: 'PASSWORD' }],
    retention: { daily: 7, within: { months: 1, ms: 0 } },
    validate: [{ kind: 'exec', exec: ['x', { env: 'PASSWORD' }] }],
    absent: undefined,
  };
  expect(await resolveReferences(value, { directory, env })).toEqual({
    url: 'hunter2',
    paths: ['/a', 'hunter2'],
    retention: { daily: 7, within: { months: 1, ms: 0 } },
    validate: [{ kind: 'exec', exec: ['x', 'hunter2'] }],
    absent: undefined,
  });
  await expect(resolveReferences({ deep: [{ a: { env: 'MISSING' } }] }, { directory, env })).rejects.toMatchObject({
    code: 'secret-unavailable',
  });
});
