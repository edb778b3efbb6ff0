import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { document, holdfast, initialise, scratchDirectory, writePlan } from '../support/cli.ts';

async function prepared(): Promise<string> {
  const directory = scratchDirectory();
  writePlan(directory, `  files: { type: files, paths: [${directory}] }`);
  await initialise(directory);
  return directory;
}

const json = async (directory: string, ...words: string[]) => document(await holdfast(directory, ['--json', ...words]));

describe('the tokens of the API', () => {
  it('are shown once, and kept so that nobody finds them again', async () => {
    const directory = await prepared();
    const { token, added } = await json(directory, 'token', 'add', 'grafana', '--expires', '90d');
    expect(token).toMatch(/^holdfast_[A-Za-z0-9_-]{43}$/);
    expect(added).toMatchObject({ name: 'grafana', role: 'viewer', state: 'valid' });
    expect(Date.parse(added.expiresAt) - Date.parse(added.createdAt)).toBe(90 * 24 * 60 * 60 * 1000);
    const listed = await json(directory, 'token', 'list');
    expect(listed.tokens).toEqual([added]);
    const text = await holdfast(directory, ['token', 'list']);
    expect(text.stdout).toContain('grafana');
    const inRepository = { recursive: true, withFileTypes: true } as const;
    const files = readdirSync(join(directory, 'repository'), inRepository).filter((entry) => entry.isFile());
    expect(files.some(({ parentPath }) => parentPath.endsWith('tokens'))).toBe(true);
    for (const { parentPath, name } of files) {
      expect(readFileSync(join(parentPath, name), 'latin1')).not.toContain(token.slice('holdfast_'.length));
    }
    expect(JSON.stringify(listed) + text.stdout).not.toContain(token.slice('holdfast_'.length));
  });

  it('have names of their own, roles that there are, and end in the future', async () => {
    const directory = await prepared();
    expect((await holdfast(directory, ['token', 'add', 'ci'])).exit).toBe(0);
    for (const words of [
      ['ci'],
      ['ci/cd'],
      ['other', '--role', 'root'],
      ['other', '--expires', '2001-01-01T00:00:00Z'],
      ['other', '--expires', 'soon'],
    ]) {
      const ran = await holdfast(directory, ['--json', 'token', 'add', ...words]);
      expect([words, ran.exit, document(ran).error.code]).toEqual([words, 2, 'bad-usage']);
    }
    expect((await json(directory, 'token', 'list')).tokens).toHaveLength(1);
  });

  it('stay revoked, also where somebody removes the mark, and leave their name to others', async () => {
    const directory = await prepared();
    await json(directory, 'token', 'add', 'ci', '--role', 'operator');
    expect((await json(directory, 'token', 'revoke', 'ci')).revoked).toMatchObject({ name: 'ci', state: 'revoked' });
    const again = await holdfast(directory, ['--json', 'token', 'revoke', 'ci']);
    expect([again.exit, document(again).error.code]).toEqual([1, 'unknown-token']);
    const tokens = join(directory, 'repository', 'holdfast', 'tokens');
    const marks = readdirSync(tokens).filter((name) => name.endsWith('-revoked'));
    expect(marks).toHaveLength(1);
    rmSync(join(tokens, marks[0]!));
    await json(directory, 'token', 'add', 'ci');
    const { tokens: listed } = await json(directory, 'token', 'list');
    expect(listed.map(({ state, role }: { state: string; role: string }) => [state, role])).toEqual([
      ['revoked', 'operator'],
      ['valid', 'viewer'],
    ]);
  });
});
