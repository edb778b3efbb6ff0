import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NAME, NameServer, ZONE } from '../../../test/recovery/region-failure/routing.ts';
import { requires } from '../../../test/support/requirements.ts';
import { describeStep } from '../../../test/support/step-conformance.ts';
import { bareWorkspace, contextOf } from '../../../test/support/steps.ts';
import type { RecordType } from '../../dns/index.ts';
import { decodeAnswer, encodeRequest, OPCODE, TYPES, uint16 } from '../../dns/rfc2136/message.ts';
import { decodeName, encodeName } from '../../dns/rfc2136/names.ts';
import { assertSigned, sign } from '../../dns/rfc2136/tsig.ts';
import { decodeValue, encodeValue } from '../../dns/rfc2136/values.ts';
import { dnsUpdate } from './dns-update.ts';

const SECRET = Buffer.from('a secret that nobody else has 12').toString('base64');
const OTHER_SECRET = Buffer.from('a secret of somebody else 123456').toString('base64');
const KEY = { name: 'holdfast', algorithm: 'hmac-sha256' };
const workspace = bareWorkspace({}, { variables: { KEY: SECRET, OTHER: OTHER_SECRET } });

describe.skipIf(!requires('bind'))('a name that is pointed elsewhere', () => {
  let names: NameServer;
  const closing: Server[] = [];
  beforeAll(async () => {
    names = await NameServer.start('192.0.2.1', { ...KEY, secret: SECRET });
  });
  afterAll(async () => {
    for (const server of closing) server.close();
    await names.stop();
  });

  const context = (more: object = {}, options = {}) =>
    contextOf(
      workspace,
      {
        ...{ do: 'dns.update', provider: 'rfc2136', server: `127.0.0.1:${names.port}` },
        ...{ name: NAME, type: 'A', value: '192.0.2.9', key: { ...KEY, secret: { env: 'KEY' } } },
        ...more,
      } as { do: 'dns.update' },
      options,
    );
  const held = async (type: RecordType = 'A', name = NAME) => {
    const { createRfc2136Server } = await import('../../dns/rfc2136/index.ts');
    const server = createRfc2136Server({ server: `127.0.0.1:${names.port}` });
    const value = type === 'A' ? '192.0.2.1' : 'x.test';
    return (await server.look({ name, type, value, ttlSeconds: 1 }, undefined, AbortSignal.timeout(9_000))).values;
  };

  describeStep('dns.update', async () => {
    const silent = createServer(() => {});
    closing.push(silent);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    return {
      kind: dnsUpdate,
      works: (more) => context({}, more),
      world: async () => JSON.stringify(await held()),
      isDone: async () => (await held()).join() === '192.0.2.9',
      obstructed: {
        context: () => context({ name: 'db.elsewhere.test' }),
        says: /has no zone with db\.elsewhere\.test|refused/,
      },
      fails: () => context({ key: { ...KEY, secret: { env: 'OTHER' } } }),
      slow: (more) => context({ server: `127.0.0.1:${port}` }, more),
      secrets: [SECRET, OTHER_SECRET],
    };
  });

  it('is found in its zone, has the new value alone, and says what it was', async () => {
    await dnsUpdate.run(context({ value: '192.0.2.3' }));
    const first = await dnsUpdate.run(context({ value: '192.0.2.4', ttl: '30s' }));
    expect(first.outputs['before']).toBe('192.0.2.3');
    expect(first.summary).toContain(`the zone ${ZONE} has the serial`);
    const again = await dnsUpdate.run(context({ value: '192.0.2.4', ttl: '30s' }));
    expect(again.outputs).toEqual({ before: '192.0.2.4', serial: first.outputs['serial'] });
    const newTtl = await dnsUpdate.run(context({ value: '192.0.2.4', ttl: '31s' }));
    expect(newTtl.outputs['serial']).toBe(Number(first.outputs['serial']) + 1);
    expect(await held()).toEqual(['192.0.2.4']);
  });

  it.each([
    ['AAAA', 'v6', '2001:db8::ffff:1'],
    ['CNAME', 'alias', 'DB-EU.omni.test'],
    ['TXT', 'txt', `say "${'x'.repeat(300)}"`],
    ['SRV', '_postgresql._tcp', '10 5 5432 db-eu.omni.test'],
  ] as const)('may be a record of type %s', async (type, name, value) => {
    const result = await dnsUpdate.run(context({ type, name: `${name}.${ZONE}`, value }));
    expect(result.outputs['before']).toBe('');
    const again = await dnsUpdate.run(context({ type, name: `${name}.${ZONE}`, value }));
    expect(again.summary).toMatch(/already/);
  });

  it('fails where the server takes no such key, no unsigned update, or passes over the update in silence', async () => {
    const run = (more: object) => dnsUpdate.run(context({ value: '192.0.2.77', ...more }));
    await expect(run({ key: { ...KEY, secret: { env: 'OTHER' } } })).rejects.toThrow(/another secret/);
    await expect(run({ key: { ...KEY, name: 'unknown', secret: { env: 'KEY' } } })).rejects.toThrow(
      /does not know a key/,
    );
    await expect(run({ key: undefined })).rejects.toThrow(/refused an update of omni\.test: REFUSED/);
    await expect(run({ name: `ns.${ZONE}`, type: 'CNAME', value: 'db.omni.test' })).rejects.toThrow(
      /still answers with nothing/,
    );
    expect(await held()).not.toContain('192.0.2.77');
  }, 30_000);

  it('is believed when the server answers as it was signed, and with no byte of it altered', async () => {
    const key = { name: 'holdfast', algorithm: 'hmac-sha256', secret: SECRET } as const;
    const nowMs = Date.now();
    const plain = encodeRequest({ id: 7, opcode: OPCODE.QUERY, question: { name: NAME, type: TYPES.A } });
    const { message, mac } = sign(plain, key, nowMs);
    const socket = connect(names.port, '127.0.0.1');
    socket.write(Buffer.concat([uint16(message.length), message]));
    const [received] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    const answer = received.subarray(2);
    const believed = (bytes: Buffer): boolean => {
      try {
        assertSigned(bytes, decodeAnswer(bytes), { key, mac, nowMs });
        return true;
      } catch {
        return false;
      }
    };
    expect(believed(answer)).toBe(true);
    const altered = (at: number): Buffer =>
      Buffer.from(answer.map((byte, index) => (index === at ? byte ^ 0x81 : byte)));
    // The first two bytes are the id, which whoever passes messages on may change; it is held against the question's.
    const others = Array.from({ length: answer.length - 2 }, (_, index) => index + 2);
    expect(others.filter((at) => believed(altered(at)))).toEqual([]);
  });
});

describe('an answer that is none', () => {
  it('is an error of one kind, whatever it holds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeAnswer(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});

describe('a name and a value in a message', () => {
  it('come back as they went', () => {
    const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/);
    fc.assert(
      fc.property(fc.array(label, { maxLength: 8 }), (labels) => {
        expect(decodeName(encodeName(labels.join('.')), 0).name).toBe(labels.join('.'));
      }),
    );
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const data = encodeValue('AAAA', address);
        expect(encodeValue('AAAA', decodeValue('AAAA', data, { start: 0, end: 16 }))).toEqual(data);
      }),
    );
  });

  it('are refused where they are none, and a pointer in a circle ends', () => {
    expect(() => encodeValue('A', '192.0.2')).toThrow(/no value/);
    expect(() => encodeName('a..b')).toThrow(/no name/);
    expect(() => encodeName(`${'a'.repeat(64)}.test`)).toThrow(/no name/);
    expect(() => decodeName(Buffer.from('c000', 'hex'), 0)).toThrow(RangeError);
  });
});
