import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { newSigningKey } from '../../src/evidence/index.ts';
import { environment, holdfast, initialise, writePlan } from '../support/cli.ts';

const COMMANDS = [
  'report verify PIPE',
  'report verify --public-key PIPE key.pem',
  'report verify --public-key key.pem PIPE',
  'kit open --kit PIPE --to out',
  'kit check --kit PIPE',
  'rescue --kit PIPE --to out',
  'ledger verify --checkpoint PIPE --public-key key.pem',
  'ledger verify --public-key PIPE',
  'serve --tls-cert PIPE --tls-key key.pem',
  'plan check --plan PIPE',
];

describe('a named pipe in the place of a file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'given-'));
  beforeAll(async () => {
    writePlan(
      directory,
      `  files: { type: files, paths: [${directory}] }`,
      'ledger: { signingKey: { file: key.pem } }',
    );
    writeFileSync(join(directory, 'key.pem'), newSigningKey(), { mode: 0o600 });
    await initialise(directory);
    execFileSync('mkfifo', [join(directory, 'pipe')]);
  });

  it.each(COMMANDS)('is refused by `%s`, and not waited for', async (command) => {
    const env = environment({ HOLDFAST_KIT_PASSPHRASE: 'a passphrase' });
    const ran = await holdfast(directory, command.replace('PIPE', 'pipe').split(' '), env);
    expect(ran.exit).not.toBe(0);
    expect(ran.stderr + ran.stdout).toMatch(/pipe.*it is a pipe or a device: write what it gives to a file first/);
  });
});
