import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CloudDnsServer } from '../../../test/support/cloud-dns-server.ts';
import { describeStep } from '../../../test/support/step-conformance.ts';
import { bareWorkspace, contextOf } from '../../../test/support/steps.ts';
import { fromData, isSameData, toData } from '../../dns/cloud-dns/record-data.ts';
import { dnsUpdate } from './dns-update.ts';

const NAME = 'db.omni.example';

describe('a name in Cloud DNS that is pointed elsewhere', () => {
  const server = new CloudDnsServer('omni');
  let variables: Record<string, string>;
  beforeAll(async () => {
    variables = await server.start();
    // The client takes its credentials from here alone.
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    server.zone('inner', 'omni.example.');
    server.zone('outer', 'example.');
    server.zone('public', 'split.example.');
    server.zone('private', 'split.example.', 'private');
    server.put('inner', { name: 'www.omni.example.', type: 'CNAME', ttl: 60, rrdatas: ['there.example.'] });
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await server.stop();
  });

  const context = (more: object = {}, options = {}) =>
    contextOf(
      bareWorkspace({}, { variables }),
      {
        ...{ do: 'dns.update', provider: 'cloud-dns', project: 'omni', name: NAME, type: 'A', value: '192.0.2.9' },
        ...more,
      } as { do: 'dns.update' },
      options,
    );
  const held = (name = NAME) => server.sets('inner').filter((set) => set.name === `${name}.`);

  describeStep('dns.update', async () => ({
    kind: dnsUpdate,
    works: (more) => context({}, more),
    world: async () => JSON.stringify(held()),
    isDone: async () => held()[0]?.rrdatas?.join() === '192.0.2.9',
    obstructed: { context: () => context({ name: 'db.nowhere.test' }), says: /no zone with db\.nowhere\.test/ },
    fails: () => context({ name: 'www.omni.example' }),
    slow: (more) => {
      server.looksUntilDone = Number.POSITIVE_INFINITY;
      more.signal!.addEventListener('abort', () => {
        server.looksUntilDone = 2;
      });
      return context({ value: '192.0.2.77' }, more);
    },
    secrets: [],
  }));

  it('has the new value alone once the change is done, and says what it was, and the serial of the zone', async () => {
    server.put('inner', { name: `${NAME}.`, type: 'A', ttl: 300, rrdatas: ['192.0.2.1', '192.0.2.2'] });
    const changes = server.changes;
    const first = await dnsUpdate.run(context({ value: '192.0.2.4', ttl: '30s' }));
    expect(first.outputs).toMatchObject({ before: '192.0.2.1, 192.0.2.2', serial: expect.any(Number) });
    expect(first.summary).toContain(`the zone omni.example has the serial ${first.outputs['serial']}`);
    expect(held()).toEqual([{ name: `${NAME}.`, type: 'A', ttl: 30, rrdatas: ['192.0.2.4'] }]);
    const again = await dnsUpdate.run(context({ value: '192.0.2.4', ttl: '30s' }));
    expect([again.outputs['before'], server.changes]).toEqual(['192.0.2.4', changes + 1]);
    const newTtl = await dnsUpdate.run(context({ value: '192.0.2.4', ttl: '31s' }));
    expect(newTtl.outputs['serial']).toBe(Number(first.outputs['serial']) + 1);
  });

  it('is left alone where somebody else changes it at the same moment', async () => {
    server.beforeChange = () =>
      server.put('inner', { name: `${NAME}.`, type: 'A', ttl: 60, rrdatas: ['198.51.100.7'] });
    await expect(dnsUpdate.run(context({ value: '192.0.2.5' }))).rejects.toMatchObject({ code: 'source-changed' });
    expect(held()[0]?.rrdatas).toEqual(['198.51.100.7']);
  });

  it('is changed once, also where the answer to that is lost', async () => {
    const changes = server.changes;
    server.losesAnswer = true;
    const { summary } = await dnsUpdate.run(context({ value: '192.0.2.6' }));
    expect([server.changes, held()[0]?.rrdatas]).toEqual([changes + 1, ['192.0.2.6']]);
    expect(summary).toContain('leads to 192.0.2.6 now');
  });

  it.each([
    [{ name: 'db.split.example' }, /several zones have split\.example\.: public, private/],
    [{ name: 'db.split.example', zone: 'inner' }, /the zone inner has omni\.example\., and not db\.split\.example\./],
    [{ zone: 'nothing' }, /Cloud DNS does not have the zone nothing/],
    [{ project: 'other' }, /Cloud DNS refuses the zones/],
    [{ value: '192.0.2' }, /no value of a record of type A/],
  ])('is refused before anything is changed, by %j', async (more, says) => {
    const before = server.changes;
    expect((await dnsUpdate.foresee(context(more))).obstacles.join()).toMatch(says);
    await expect(dnsUpdate.run(context(more))).rejects.toThrow(says);
    expect(server.changes).toBe(before);
  });

  it('is in the zone that the step names, where several have it; one with a routing policy stays', async () => {
    await dnsUpdate.run(context({ name: 'db.split.example', zone: 'private', type: 'TXT', value: 'say "ä"' }));
    expect(server.sets('private')[0]?.rrdatas).toEqual(['"say \\"\\195\\164\\""']);
    server.put('inner', { name: 'geo.omni.example.', type: 'A', ttl: 60, routingPolicy: { geo: {} } });
    const { obstacles } = await dnsUpdate.foresee(context({ name: 'geo.omni.example' }));
    expect(obstacles.join()).toContain('routing policy');
  });
});

describe('a value of Cloud DNS', () => {
  it('comes back as it went, whatever a text holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (text) => {
        const data = toData('TXT', text);
        expect(fromData('TXT', data)).toBe(text);
        for (const [each] of data.matchAll(/"((?:[^"\\]|\\.)*)"/g))
          expect(each.length).toBeLessThanOrEqual(4 * 255 + 2);
      }),
      { numRuns: 50 },
    );
  });

  it('means the same in another notation', () => {
    expect(toData('CNAME', 'DB.example')).toBe('DB.example.');
    expect(isSameData('CNAME', 'DB.example.', 'db.example.')).toBe(true);
    expect(isSameData('AAAA', '2001:db8::1', '2001:0DB8:0::1')).toBe(true);
    expect(isSameData('TXT', '"a" "b"', 'ab')).toBe(true);
    expect(isSameData('TXT', '"A"', '"a"')).toBe(false);
    for (const [type, value] of [
      ['A', '2001:db8::1'],
      ['SRV', '1 2 x'],
      ['CNAME', 'a b'],
    ] as const)
      expect(() => toData(type, value)).toThrow(/no value/);
  });
});
