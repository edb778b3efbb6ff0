import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import * as derivations from '../foundation/scrypt.ts';
import { KeyAhead } from './key-ahead.ts';

vi.mock('../foundation/scrypt.ts', { spy: true });

const INPUT: derivations.ScryptInput = { salt: randomBytes(64), N: 16, r: 1, p: 1 };
const WORDS = ['backup'];

let cache: string;
const variables = (more: Record<string, string> = {}) => ({ XDG_CACHE_HOME: cache, PASSWORD: 'secret\n', ...more });
const notes = () => readdirSync(join(cache, 'holdfast', 'keys')).map((name) => join(cache, 'holdfast', 'keys', name));

function note(password: Parameters<KeyAhead['note']>[0], words = WORDS): boolean {
  return new KeyAhead(words, variables()).note(password, INPUT);
}

/** Of what a key is derived when the command starts again. */
function begun(words = WORDS, more: Record<string, string> = {}): unknown[] | undefined {
  vi.mocked(derivations.beginScrypt).mockClear();
  new KeyAhead(words, variables(more)).begin(variables(more));
  return vi.mocked(derivations.beginScrypt).mock.calls[0];
}

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'cache-'));
});

describe('a key that is derived ahead', () => {
  it('is that of the same command before, of a variable or a file', () => {
    expect(begun()).toBeUndefined();
    expect(note({ env: 'PASSWORD' })).toBe(true);
    expect(begun()).toEqual(['secret', INPUT]);
    const file = join(cache, 'password');
    writeFileSync(file, 'from a file\n', { mode: 0o600 });
    expect(note({ file })).toBe(true);
    expect(begun()).toEqual(['from a file', INPUT]);
  });

  it('is of no other command, plan or directory', () => {
    note({ env: 'PASSWORD' });
    expect(begun(['snapshots'])).toBeUndefined();
    expect(begun(WORDS, { HOLDFAST_PLAN: '/other.yaml' })).toBeUndefined();
    const elsewhere = vi.spyOn(process, 'cwd').mockReturnValue('/elsewhere');
    expect(begun()).toBeUndefined();
    elsewhere.mockRestore();
  });

  it('is begun for nobody in a directory that is gone', () => {
    const gone = vi.spyOn(process, 'cwd').mockImplementation(() => {
      throw new Error('gone');
    });
    expect(begun()).toBeUndefined();
    gone.mockRestore();
  });

  it('is none where the password has to be asked for somewhere, or is not there any more', () => {
    expect(note({ command: ['pass', 'show'] })).toBe(false);
    expect(note({ gcp: 'projects/p/secrets/s/versions/1' })).toBe(false);
    note({ env: 'GONE' });
    expect(begun()).toBeUndefined();
    note({ file: join(cache, 'gone') });
    expect(begun()).toBeUndefined();
  });

  it('is noted with no secret, for nobody else to read', () => {
    note({ env: 'PASSWORD' });
    const [path = ''] = notes();
    expect(readFileSync(path, 'utf8')).not.toContain('secret');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('comes of no note and no password that others can change or read, and of no other kind of file', () => {
    note({ env: 'PASSWORD' });
    const [path = ''] = notes();
    chmodSync(path, 0o620);
    expect(begun()).toBeUndefined();
    const file = join(cache, 'password');
    writeFileSync(file, 'secret', { mode: 0o640 });
    chmodSync(path, 0o600);
    note({ file });
    expect(begun()).toBeUndefined();
    for (const other of [cache, '/dev/zero']) {
      note({ file: other });
      expect(begun()).toBeUndefined();
    }
  });

  it('comes of no note that is damaged, or asks for more than anybody does', () => {
    note({ env: 'PASSWORD' });
    const [path = ''] = notes();
    const noted = JSON.parse(readFileSync(path, 'utf8'));
    const damaged = [
      '',
      '{',
      'null',
      '[]',
      '"x"',
      JSON.stringify({ ...noted, N: 2 ** 40 }),
      JSON.stringify({ ...noted, salt: 1 }),
      JSON.stringify({ ...noted, password: null }),
      JSON.stringify({ ...noted, password: { env: 7 } }),
      JSON.stringify({ ...noted, password: { file: {} } }),
    ];
    for (const text of damaged) {
      writeFileSync(path, text);
      expect([text, begun()]).toEqual([text, undefined]);
    }
  });

  it('is noted for so many commands only', () => {
    for (let number = 0; number < 250; number++) note({ env: 'PASSWORD' }, [`command-${number}`]);
    expect(notes().length).toBeLessThanOrEqual(100);
    expect(begun(['command-249'])).toEqual(['secret', INPUT]);
  });
});
