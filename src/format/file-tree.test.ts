import { hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { putStats, STATUS_WORDS, StatusRecord, statusAt } from '../foundation/file-status.ts';
import { encodeFileTree } from './file-tree.ts';
import { nodeOfStatus } from './node-of-status.ts';
import { encodeTree } from './tree.ts';

/** As the system has them: around what is said otherwise, or not at all. */
const whole = (bits: number) =>
  fc.oneof(
    fc.bigInt({ min: 0n, max: 3n }),
    fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n }),
    fc.bigInt({ min: 10n ** 6n - 2n, max: 10n ** 6n + 2n }),
  );
const times = fc.oneof(
  fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
  fc.bigInt({ min: 0n, max: 2n ** 32n + 5n }).map((seconds) => seconds * 1_000_000_000n),
  fc
    .tuple(
      fc.bigInt({ min: 1_800_000_000n, max: 1_800_000_002n }),
      fc.bigInt({ min: 0n, max: 999n }),
      fc.constantFrom(1n, 1000n, 1_000_000n),
    )
    .map(([seconds, part, unit]) => seconds * 1_000_000_000n + part * unit),
);
const names = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'abc.- 09'), minLength: 1, maxLength: 20 }),
  fc
    .uint8Array({ minLength: 1, maxLength: 12 })
    .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte))).toString('latin1')),
);
const files = fc.record({
  name: names.filter((name) => name !== '.' && name !== '..'),
  stats: fc.record({
    dev: whole(40),
    ino: whole(64),
    mode: fc.bigInt({ min: 0n, max: 0o7777n }).map((mode) => mode | 0o100000n),
    nlink: whole(32),
    uid: fc.oneof(fc.constantFrom(0n, 1n, 65534n), whole(32)),
    gid: fc.oneof(fc.constantFrom(0n, 1n, 65534n), whole(32)),
    size: whole(40),
    mtimeNs: times,
    ctimeNs: times,
  }),
  sizeBytes: fc.oneof(fc.constant(0), fc.nat(), fc.maxSafeNat()),
  blobs: fc.array(fc.nat(), { maxLength: 3 }),
});

it('a tree of files is what their nodes make', () => {
  fc.assert(
    fc.property(fc.uniqueArray(files, { selector: ({ name }) => name, maxLength: 8 }), (unsorted) => {
      const directory = unsorted.sort((a, b) => (a.name < b.name ? -1 : 1));
      const status = new Uint32Array(directory.length * STATUS_WORDS);
      for (const [index, { stats }] of directory.entries()) {
        const record = new StatusRecord();
        putStats(record, stats as unknown as BigIntStats);
        status.set(record.words, index * STATUS_WORDS);
      }
      const blobs = directory.flatMap(({ blobs }) => blobs.map((blob) => hash('sha256', `${blob}`, 'buffer')));
      const columns = {
        count: directory.length,
        paths: Buffer.from(directory.map(({ name }) => `/some where/${name}\0`).join(''), 'latin1'),
        status,
        sizesBytes: Float64Array.from(directory, ({ sizeBytes }) => sizeBytes),
        ids: Buffer.concat(blobs),
        blobCounts: Uint32Array.from(directory, ({ blobs }) => blobs.length),
      };
      const nodes = directory.map(({ name, sizeBytes, blobs }, index) => ({
        ...nodeOfStatus(name, statusAt(status, index * STATUS_WORDS)),
        size: sizeBytes,
        content: blobs.map((blob) => hash('sha256', `${blob}`)),
      }));
      expect(Buffer.from(encodeFileTree(columns)).toString()).toBe(encodeTree(nodes).toString());
    }),
    { numRuns: 2000 },
  );
});
