import crypto, { randomBytes } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { describe, expect, it, vi } from 'vitest';
import { beginScrypt, isBounded, type ScryptInput, scryptKey } from './scrypt.ts';

const INPUT: ScryptInput = { salt: randomBytes(64), N: 16, r: 1, p: 1 };

describe('a key derived with scrypt', () => {
  // RFC 7914, section 12.
  it('is that of the specification', async () => {
    const input = { salt: Buffer.from('NaCl'), N: 1024, r: 8, p: 16 };
    expect((await scryptKey('password', input)).toString('hex')).toBe(
      'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
    );
  });

  it('comes of what was begun, once, where that is the same', async () => {
    const derivations = vi.spyOn(crypto, 'scrypt');
    syncBuiltinESMExports();
    beginScrypt('secret', INPUT);
    const key = await scryptKey('secret', { ...INPUT, salt: Buffer.from(INPUT.salt) });
    expect(derivations).toHaveBeenCalledTimes(1);
    expect(await scryptKey('secret', INPUT)).toEqual(key);
    expect(derivations).toHaveBeenCalledTimes(2);
    derivations.mockRestore();
    syncBuiltinESMExports();
  });

  it('is its own, where something else was begun', async () => {
    const others: [string, ScryptInput][] = [
      ['other', INPUT],
      ['secret', { ...INPUT, salt: randomBytes(64) }],
      ['secret', { ...INPUT, N: 32 }],
      ['secret', { ...INPUT, r: 2 }],
      ['secret', { ...INPUT, p: 2 }],
    ];
    const key = await scryptKey('secret', INPUT);
    for (const [password, input] of others) {
      beginScrypt(password, input);
      expect(await scryptKey('secret', INPUT)).toEqual(key);
      expect(await scryptKey(password, input)).not.toEqual(key);
    }
  });

  it('costs no more than anybody asks for', () => {
    expect(isBounded({ N: 32768, r: 8, p: 5 })).toBe(true);
    for (const [N, r, p] of [
      [3, 8, 1],
      [1, 8, 1],
      [2 ** 30, 8, 1],
      [16, 2 ** 30, 1],
      [16, 8, 65],
      [16, 0, 1],
      ['16', 8, 1],
    ])
      expect(isBounded({ N, r, p })).toBe(false);
  });
});
