import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeKeyFile, encodeKeyFile, newSealingKey } from './key-file.ts';

const master = newSealingKey();
const QUICK = { N: 2, r: 1, p: 1 };

async function changed(change: Record<string, unknown>): Promise<Buffer> {
  const file = JSON.parse((await encodeKeyFile(master, 'right', 0, QUICK)).toString()) as Record<string, unknown>;
  return Buffer.from(JSON.stringify({ ...file, ...change }));
}

describe('a key file', () => {
  it.each(['right', 'pässwörd 世界', ' '])('gives the master key to the password %j', async (password) => {
    expect(await decodeKeyFile(await encodeKeyFile(master, password, 0, QUICK), password)).toEqual(master);
  });

  it('gives nothing to another password', async () => {
    const file = await encodeKeyFile(master, 'right', 0, QUICK);
    for (const password of ['', 'Right', 'right ', 'wrong']) {
      expect(await decodeKeyFile(file, password)).toBeUndefined();
    }
  });

  it('derives its key at a cost by default', async () => {
    const file = JSON.parse((await encodeKeyFile(master, 'right', 0)).toString()) as { N: number; r: number };
    expect(file.N * file.r).toBeGreaterThanOrEqual(2 ** 18);
  });

  it.each([
    { N: 0 },
    { N: 3 },
    { N: 2 ** 40 },
    { N: -2 },
    { N: '32768' },
    { N: 1.5 },
    { r: 0 },
    { r: 2 ** 30 },
    { N: 2, r: 2 ** 22, p: 64 },
    { p: 0 },
    { p: 1e9 },
    { salt: 5 },
    { data: null },
  ])('is refused when it asks for %j', async (change) => {
    // Of the processor: others may be at work beside it.
    const begun = process.cpuUsage();
    await expect(decodeKeyFile(await changed(change), 'right')).rejects.toMatchObject({ code: 'repository-damaged' });
    const { user, system } = process.cpuUsage(begun);
    expect((user + system) / 1000).toBeLessThan(1000);
  });

  it('is refused when it uses what is not known', async () => {
    const file = await changed({ kdf: 'argon2' });
    await expect(decodeKeyFile(file, 'right')).rejects.toMatchObject({ code: 'repository-unsupported' });
  });

  it('never crashes the reader, whatever stands in it', async () => {
    const members = fc.dictionary(fc.constantFrom('kdf', 'salt', 'data', 'created', 'hostname'), fc.jsonValue());
    const parts = fc.oneof(members, fc.dictionary(fc.constantFrom('salt', 'data'), fc.base64String()));
    const whole = JSON.parse((await encodeKeyFile(master, 'right', 0, QUICK)).toString()) as object;
    const files = fc.oneof(
      fc.jsonValue(),
      parts.map((part) => ({ ...whole, ...part })),
    );
    await fc.assert(
      fc.asyncProperty(files, async (file) => {
        try {
          const found = await decodeKeyFile(Buffer.from(JSON.stringify(file)), 'right');
          expect(found ?? master).toEqual(master);
        } catch (error) {
          expect(error).toMatchObject({
            code: expect.toBeOneOf(['repository-damaged', 'repository-unsupported']),
          });
        }
      }),
    );
  });

  it.each(['', 'null', '[]', '"text"', '{', '{}'])('is refused when it is %j', async (text) => {
    await expect(decodeKeyFile(Buffer.from(text), 'right')).rejects.toThrow(/./);
  });
});
