import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeFileAnew, writeNewFile } from './new-file.ts';

const LENGTH = 300_000;
const contents = ['a', 'b', 'c', 'd', 'e', 'f'].map((letter) => letter.repeat(LENGTH));

/** While some work goes on, what a file holds each time that somebody looks: undefined where it is not there. */
async function seenDuring(path: string, work: Promise<unknown>): Promise<(string | undefined)[]> {
  const seen: (string | undefined)[] = [];
  let isOver = false;
  const end = work.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    seen.push(readIfThere(path));
    await new Promise(setImmediate);
  }
  await end;
  return [...seen, readIfThere(path)];
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

describe('a file that several write at once', () => {
  const place = (): string => join(mkdtempSync(join(tmpdir(), 'new-file-')), 'file');

  it('is always one of them whole, where it is written anew', async () => {
    const path = place();
    const seen = await seenDuring(path, Promise.all(contents.map((text) => writeFileAnew(path, text, 0o600))));
    for (const text of seen) if (text !== undefined) expect(contents.includes(text)).toBe(true);
    expect([statSync(path).mode & 0o777, readdirSync(join(path, '..'))]).toEqual([0o600, ['file']]);
  });

  it('is that of one alone and whole from the beginning, where it is to be new', async () => {
    const path = place();
    const written = Promise.all(contents.map((text) => writeNewFile(path, text, 0o600)));
    const seen = await seenDuring(path, written);
    const winner = contents[(await written).indexOf(true)]!;
    expect((await written).filter(Boolean)).toHaveLength(1);
    for (const text of seen) if (text !== undefined) expect(text === winner).toBe(true);
    expect([seen.at(-1) === winner, readdirSync(join(path, '..'))]).toEqual([true, ['file']]);
  });

  it('is refused where its directory cannot take it, and nothing stays there', async () => {
    const path = place();
    await writeFileAnew(path, 'one', 0o600);
    for (const write of [writeFileAnew, writeNewFile]) {
      await expect(write(join(path, 'inside'), 'x', 0o600)).rejects.toMatchObject({ code: 'target-failed' });
    }
  });
});
