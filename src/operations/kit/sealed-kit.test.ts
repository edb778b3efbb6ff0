import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTar, parseTar } from 'nanotar';
import { describe, expect, it } from 'vitest';
import { skipWithout } from '../../../test/support/requirements.ts';
import { type KitContent, packKit, unpackKit } from './kit-content.ts';
import { layOutKit } from './open-kit.ts';
import { makePassphrase } from './passphrase.ts';
import { sealKit, unsealKit, workFactorOf, writePrivate } from './sealed-kit.ts';

const kit: KitContent = {
  version: 1,
  madeAt: '2026-01-31T14:03:06.000Z',
  madeWith: '0.1.0',
  plan: { name: 'shop', text: 'version: 1\n', sha256: 'a'.repeat(64) },
  repositories: [
    { name: 'main', id: 'b', place: { kind: 'local', path: '/main' }, password: 'of the key', key: 'c'.repeat(64) },
  ],
  publicKeys: [{ purpose: 'signing', fingerprint: 'd'.repeat(64), pem: 'a key\n' }],
};

describe('a sealed kit', () => {
  const passphrase = makePassphrase();
  const archive = packKit(kit, [{ path: 'README.md', text: '# Kit\n' }]);

  it('opens by its passphrase, and by no other', async () => {
    const sealed = await sealKit(archive, passphrase);
    expect(unpackKit(await unsealKit(sealed, passphrase, 'kit.age'), 'kit.age')).toEqual(kit);
    await expect(unsealKit(sealed, makePassphrase(), 'kit.age')).rejects.toMatchObject({
      code: 'wrong-password',
      message: expect.stringMatching(/another passphrase, or its beginning is damaged/),
      hint: expect.stringContaining(createHash('sha256').update(sealed).digest('hex')),
    });
    for (const secret of ['of the key', 'shop', 'version: 1']) expect(Buffer.from(sealed).includes(secret)).toBe(false);
  });

  it('is never taken for right with a byte of it flipped, wherever that is', async () => {
    const sealed = await sealKit(archive, passphrase);
    const text = Buffer.from(sealed).toString('latin1');
    const payload = text.indexOf('\n', text.indexOf('\n--- ') + 1) + 1;
    const stanza = text.indexOf('\n', text.indexOf('scrypt')) + 5;
    const codes: Record<string, number[]> = {
      'kit-damaged': [0, text.indexOf('--- ') + 8, payload + 3, payload + 40, sealed.length - 1],
      // What the passphrase opens is damaged itself: nobody can tell that from another passphrase, but for the digest.
      'wrong-password': [stanza],
    };
    for (const [code, places] of Object.entries(codes)) {
      for (const at of places) {
        const flipped = Uint8Array.from(sealed);
        // In the header another sign of base64: what is none is damage.
        flipped[at] = at === stanza ? (sealed[at] === 0x41 ? 0x42 : 0x41) : sealed[at]! ^ 1;
        await expect(unsealKit(flipped, passphrase, 'kit.age'), `byte ${at}`).rejects.toMatchObject({ code });
      }
    }
    await expect(unsealKit(sealed.subarray(0, -20), passphrase, 'kit.age')).rejects.toMatchObject({
      code: 'kit-damaged',
    });
    await expect(unsealKit(new Uint8Array(), passphrase, 'kit.age')).rejects.toMatchObject({ code: 'kit-damaged' });
  });

  it('costs who guesses a passphrase that somebody thought of as much as age asks for', async () => {
    expect([workFactorOf(passphrase), workFactorOf('correct horse battery staple')]).toEqual([14, 18]);
    const head = Buffer.from(await sealKit(archive, passphrase)).toString('latin1', 0, 80);
    expect(head).toMatch(/-> scrypt \S+ 14\n/);
  });

  it('is opened by stock age and tar', async (context) => {
    skipWithout(context, 'age');
    const directory = mkdtempSync(join(tmpdir(), 'kit-'));
    writeFileSync(join(directory, 'kit.age'), await sealKit(archive, passphrase));
    const opening = 'age -d -o kit.tar kit.age && tar -xf kit.tar';
    const { status, stdout } = spawnSync('script', ['-qec', opening, '/dev/null'], {
      ...{ cwd: directory, encoding: 'utf8', input: `${passphrase}\n` },
    });
    expect(status, stdout).toBe(0);
    const text = (path: string) => readFileSync(join(directory, 'kit', path), 'utf8');
    expect([
      text('holdfast.yaml'),
      text('passwords/main'),
      text('keys/signing-dddddddd.pub'),
      text('README.md'),
    ]).toEqual([...['version: 1\n', 'of the key\n', 'a key\n', '# Kit\n']]);
    expect(statSync(join(directory, 'kit/passwords/main')).mode & 0o777).toBe(0o600);
  });

  it('that says of a repository what no kit says is refused', () => {
    const strange = { ...kit, repositories: [{ ...kit.repositories[0]!, name: '../../etc' }] };
    expect(() => unpackKit(packKit(strange, []), 'kit.age')).toThrow('repositories.0.name');
    expect(() => unpackKit(packKit({ ...kit, version: 2 as 1 }, []), 'kit.age')).toThrow('unknown version 2');
  });

  it('that somebody made to write beside its directory is refused, and nothing is written', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'kit-'));
    const file = join(directory, 'kit.age');
    const own = parseTar(archive).map(({ name, text }) => ({ name, data: text }));
    // A reader that cuts off as much as `kit/` has makes `../escaped` of the first.
    for (const name of ['kit1../escaped', 'kit/.profile']) {
      writeFileSync(file, await sealKit(createTar([...own, { name, data: 'x' }]), passphrase));
      const opening = layOutKit({ file, passphrase }, join(directory, 'opened'));
      await expect(opening, name).rejects.toMatchObject({ code: 'kit-damaged' });
      expect(readdirSync(directory), name).toEqual(['kit.age']);
    }
  });
});

it('a file of a kit is read by its owner alone, and is whole or not there', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'kit-')), 'kit.age');
  await writePrivate(path, 'one');
  await writePrivate(path, 'two');
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['two', 0o600]);
  await expect(writePrivate(join(path, 'inside'), 'x')).rejects.toMatchObject({ code: 'target-failed' });
});
