import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isHoldfastError } from '../../src/foundation/errors.ts';
import { Crc64 } from '../../src/source/redis/rdb/bytes.ts';
import { RdbReader, type RdbReaderOptions, type RdbSummary } from '../../src/source/redis/rdb/reader.ts';
import { fillRedis, rdbOf, startRedis, type TestRedis } from '../support/redis.ts';
import { requires } from '../support/requirements.ts';

function read(rdb: Uint8Array, pieceBytes = 65_536, options: Omit<RdbReaderOptions, 'origin'> = {}): RdbSummary {
  const reader = new RdbReader({ ...options, origin: 'source' });
  for (let at = 0; at < rdb.length; at += pieceBytes) reader.write(rdb.subarray(at, at + pieceBytes));
  return reader.end();
}

/** With the checksum of what it has become. */
function sealed(rdb: Buffer): Buffer {
  const crc = new Crc64();
  crc.add(rdb.subarray(0, -8));
  return Buffer.concat([rdb.subarray(0, -8), crc.digest()]);
}

/** Who wants to be told of each key has them read one by one, and not many in one call. */
const ONE_BY_ONE = { onKey: () => {} };

/** What was found, or what was wrong with it. @throws what is no HoldfastError */
function outcome(rdb: Uint8Array, pieceBytes: number, options: Omit<RdbReaderOptions, 'origin'> = {}): unknown {
  try {
    return read(rdb, pieceBytes, options);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return { refused: error.message };
  }
}

/** Without what is long, so that a mutation meets what is not. */
const LONG = ['compressible', 'zeros', 'long list', 'long set', 'long text set', 'long hash', 'long zset'];

describe.skipIf(!requires('redis'))('the RDB of a server', () => {
  let server: TestRedis;
  let whole: Buffer;
  let small: Buffer;

  beforeAll(async () => {
    server = await startRedis();
    await fillRedis(server);
    whole = await rdbOf(server);
    await server.run('DEL', ...LONG);
    small = await rdbOf(server);
  });
  afterAll(() => server.stop());

  it('is counted by database and type, and ends with the checksum that the server wrote', () => {
    const { keys, expiring, functions, counts, checksum, sizeBytes, version, facts } = read(whole);
    expect({ keys, expiring, functions }).toEqual({ keys: 24, expiring: 2, functions: 1 });
    expect(version).toBe(Number(/^(?:REDIS|VALKEY)(\d+)/.exec(whole.subarray(0, 9).toString('latin1'))![1]));
    expect(sizeBytes).toBe(whole.length);
    expect(checksum).toBe(Buffer.from(whole.subarray(-8)).reverse().toString('hex'));
    expect(facts.get('redis-ver') ?? facts.get('valkey-ver')).toMatch(/^\d+\.\d+/);
    expect(counts.map(({ database, type, keys: found }) => [database, type, found])).toEqual([
      [0, 'string', 10],
      [0, 'list', 2],
      [0, 'set', 5],
      [0, 'zset', 2],
      [0, 'hash', 2],
      [0, 'stream', 1],
      [9, 'string', 1],
      [9, 'hash', 1],
    ]);
  });

  it('has the same digests in whatever pieces it comes', () => {
    const expected = read(whole).counts;
    for (const pieceBytes of [1, 13, 4099, whole.length]) {
      const rdb = pieceBytes === 1 ? small : whole;
      expect(read(rdb, pieceBytes).counts).toEqual(pieceBytes === 1 ? read(small).counts : expected);
    }
  });

  it('has the same digests in whatever form the server keeps a value, and in whatever order', async () => {
    await fillRedis(server, 4_000_000_000_000);
    const before = read(await rdbOf(server));
    for (const [name, value] of [
      ['hash-max-listpack-entries', 0],
      ['zset-max-listpack-entries', 0],
      ['set-max-intset-entries', 0],
      ['list-max-listpack-size', 1],
      ['stream-node-max-entries', 1],
      ['rdbcompression', 'no'],
    ] as const) {
      await server.run('CONFIG', 'SET', name, value);
    }
    const kind = async (key: string) => String(await server.run('OBJECT', 'ENCODING', key));
    // What the stream's consumers were given has a time, which would be another one.
    const stream = await server.run('DUMP', 'stream');
    await fillRedis(server, 4_000_000_000_000);
    await server.run('RESTORE', 'stream', 0, stream as Buffer, 'REPLACE');
    expect([await kind('hash'), await kind('zset')]).toEqual(['hashtable', 'skiplist']);
    // Which form comes next depends on the server's version.
    expect(await kind('small numbers')).not.toBe('intset');
    const after = read(await rdbOf(server));
    expect(after.checksum).not.toBe(before.checksum);
    expect(after.counts).toEqual(before.counts);
  });

  it.each([
    ['a value', ['HSET', 'hash', 'f', 'w']],
    ['a time to live by a millisecond', ['PEXPIREAT', 'expiring', 4_000_000_000_001]],
    ['the order of a list', ['RPOPLPUSH', 'list', 'list']],
    ['a score', ['ZADD', 'zset', 1.5, 'a']],
    ['an acknowledgement', ['XACK', 'stream', 'group', '5-0']],
  ])('has other digests after a change of %s', async (_, command) => {
    await fillRedis(server, 4_000_000_000_000);
    const before = read(await rdbOf(server)).counts;
    await server.run(...command);
    const after = read(await rdbOf(server)).counts;
    expect(after.filter((each, index) => each.digest !== before[index]?.digest)).toHaveLength(1);
  });

  it('is the same from a server that saves it to its disk first', async () => {
    const before = read(await rdbOf(server)).counts;
    await server.run('CONFIG', 'SET', 'repl-diskless-sync', 'no');
    const after = read(await rdbOf(server)).counts;
    await server.run('CONFIG', 'SET', 'repl-diskless-sync', 'yes');
    expect(after).toEqual(before);
  });

  it('says the same, whether its keys are read many at once or one by one', async () => {
    for (const policy of ['noeviction', 'allkeys-lfu', 'allkeys-lru']) {
      // With the others each key has one thing more before it.
      await server.run('CONFIG', 'SET', 'maxmemory-policy', policy);
      const rdb = await rdbOf(server);
      for (const pieceBytes of [997, rdb.length])
        expect(read(rdb, pieceBytes)).toEqual(read(rdb, pieceBytes, ONE_BY_ONE));
    }
  });

  it.each([
    ['many at once', {}],
    ['one by one', ONE_BY_ONE],
  ])('leaves out what has expired, when it is told to, with its keys read %s', (_, options) => {
    const reader = new RdbReader({ ...options, origin: 'source' });
    reader.expiredBeforeMs = Date.now() + 2 * 3_600_000;
    reader.write(whole);
    expect(reader.end()).toMatchObject({ keys: 22, expiring: 0, expired: 2 });
  });

  it.each([
    [
      'a byte of a value that was changed',
      (rdb: Buffer) => rdb.fill('j', rdb.indexOf('hello'), rdb.indexOf('hello') + 1),
    ],
    ['an end that is missing', (rdb: Buffer) => rdb.subarray(0, -1)],
    ['more behind its end', (rdb: Buffer) => Buffer.concat([rdb, Buffer.of(0)])],
  ])('is refused with %s', (_, change) => {
    expect(() => read(change(Buffer.from(small)))).toThrow(expect.objectContaining({ code: 'source-damaged' }));
  });

  it('is refused when it is newer than what is known', () => {
    const newer = Buffer.from(small);
    newer.write('REDIS0099', 'latin1');
    expect(() => read(newer)).toThrow(expect.objectContaining({ code: 'source-unsupported' }));
  });

  it('does no harm, whatever its bytes became, even where the checksum was made to fit', () => {
    const mutation = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      byte: fc.integer({ min: 0, max: 255 }),
    });
    let refused = 0;
    const before = process.memoryUsage().rss;
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), fc.boolean(), (mutations, isCut) => {
        const rdb = Buffer.from(small);
        for (const { at, byte } of mutations) rdb[9 + Math.floor(at * (rdb.length - 18))] = byte;
        const changed = sealed(isCut ? rdb.subarray(0, Math.floor(mutations[0]!.at * rdb.length) + 20) : rdb);
        const found = outcome(changed, 997);
        if (typeof found === 'object' && found !== null && 'refused' in found) refused++;
        expect(outcome(changed, 997, ONE_BY_ONE)).toEqual(found);
      }),
      { numRuns: 400 },
    );
    expect(refused).toBeGreaterThan(150);
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  });
});
