import { existsSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { noise, testDirectory } from '../../../test/support/repository.ts';
import { FileBody } from './file-body.ts';

const CONTENT = noise(1_500_001);

function fileOf(content: Uint8Array): string {
  const file = join(testDirectory(), 'content');
  writeFileSync(file, content);
  return file;
}

/** Takes each chunk for a while, as a socket whose line is slow, and only then looks at it. */
function slowLine(received: Buffer[]): Writable {
  return new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      void setTimeout(20).then(() => {
        received.push(Buffer.from(chunk));
        done();
      });
    },
  });
}

describe('a file as a body', () => {
  it('is the file, however long the line takes for each part of it', async () => {
    const received: Buffer[] = [];
    await pipeline(new FileBody(fileOf(CONTENT), CONTENT.length), slowLine(received));
    expect(Buffer.concat(received).equals(CONTENT)).toBe(true);
  });

  it('is empty where the file is', async () => {
    const received: Buffer[] = [];
    await pipeline(new FileBody(fileOf(Buffer.alloc(0)), 0), slowLine(received));
    expect(Buffer.concat(received)).toHaveLength(0);
  });

  it.each([-1, 1])('is an error where the file has another size, by %i', async (difference) => {
    const body = new FileBody(fileOf(CONTENT), CONTENT.length + difference);
    await expect(pipeline(body, slowLine([]))).rejects.toThrow(`bytes instead of ${CONTENT.length + difference}`);
  });

  it('closes the file when nobody wants the rest', async () => {
    const file = fileOf(CONTENT);
    const body = new FileBody(file, CONTENT.length);
    await new Promise((resolve) => body.once('readable', resolve));
    expect(openFiles()).toContain(file);
    body.destroy();
    await new Promise((resolve) => body.once('close', resolve));
    expect(openFiles()).not.toContain(file);
  });
});

function openFiles(): string[] {
  const directory = existsSync('/proc/self/fd') ? '/proc/self/fd' : '/dev/fd';
  return readdirSync(directory).flatMap((name) => {
    try {
      return [readlinkSync(join(directory, name))];
    } catch {
      // The one that listed them is gone.
      return [];
    }
  });
}
