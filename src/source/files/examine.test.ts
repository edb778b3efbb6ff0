import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { examinePath } from './examine.ts';

/** Nobody, whom root becomes for a test: root may read everything. */
const UNPRIVILEGED = 65_534;

function made(): string {
  const directory = mkdtempSync(join(tmpdir(), 'examine-'));
  chmodSync(directory, 0o755);
  mkdirSync(join(directory, 'kept'), { mode: 0o700 });
  writeFileSync(join(directory, 'file'), 'x');
  symlinkSync('kept', join(directory, 'link'));
  return directory;
}

function withoutPrivileges(): void {
  if (process.getuid?.() !== 0) return;
  process.seteuid?.(UNPRIVILEGED);
  onTestFinished(() => process.seteuid?.(0));
}

describe('a path of the plan', () => {
  it('is fine when it can be read', async () => {
    const directory = made();
    for (const name of ['', 'kept', 'file']) {
      expect(await examinePath(join(directory, name))).toMatchObject({ level: 'ok' });
    }
  });

  it('is missing when it is not there', async () => {
    const directory = made();
    for (const name of ['gone', 'file/below']) {
      expect(await examinePath(join(directory, name))).toMatchObject({ level: 'missing', message: 'does not exist' });
    }
  });

  it('is missing when it cannot be read, and the line names who is to read it', async () => {
    const directory = made();
    chmodSync(join(directory, 'kept'), 0o000);
    withoutPrivileges();
    const finding = await examinePath(join(directory, 'kept'));
    expect(finding).toMatchObject({ level: 'missing', message: expect.stringMatching(/^cannot be read: EACCES/) });
    expect(finding.mend?.lines[0]).toMatch(
      new RegExp(`^setfacl --recursive --modify u:\\S+:rX ${join(directory, 'kept')}$`),
    );
  });

  it('is to be what a link leads to, and not the link', async () => {
    const directory = made();
    const target = JSON.stringify(join(directory, 'kept'));
    expect(await examinePath(join(directory, 'link'))).toMatchObject({
      mend: { place: 'plan', lines: [`- ${target}`] },
    });
  });
});
