import { describe, expect, it } from 'vitest';
import { labelOf, parseLocation } from './location.ts';

describe('the URL of a server', () => {
  it.each([
    ['redis://db.example', { host: 'db.example', port: 6379, user: undefined, password: undefined, tls: undefined }],
    ['redis://:s%40cret@db:7000/3', { host: 'db', port: 7000, password: 's@cret', database: 3 }],
    ['valkey://ann:pw@[::1]:1', { host: '::1', port: 1, user: 'ann', password: 'pw', database: 0, tls: undefined }],
    ['redis+unix:///run/redis%20s.sock?db=2', { host: '/run/redis s.sock', port: 0, database: 2 }],
    ['unix://ann:pw@/run/redis.sock', { host: '/run/redis.sock', user: 'ann', password: 'pw' }],
  ])('%s says where it is', (url, expected) => {
    expect(parseLocation(url)).toMatchObject(expected);
  });

  it('with TLS names its files', () => {
    const tls = parseLocation('rediss://db?cacert=/ca&cert=/c&key=/k&sni=other').tls;
    expect(tls).toEqual({
      ...{ authorities: '/ca', certificate: '/c', key: '/k', serverName: 'other' },
      isVerified: true,
    });
    expect(parseLocation('valkeys://db?insecure=true').tls).toMatchObject({ isVerified: false });
  });

  it.each([
    'http://db',
    'redis://a@b@c',
    'redis://db:70000',
    'redis://db/x',
    'unix://host/run',
    'redis://db?who=me',
    'redis://%zz@db',
  ])('%s is refused, and not repeated', (url) => {
    expect(() => parseLocation(url)).toThrow(expect.objectContaining({ code: 'plan-invalid' }));
    expect(() => parseLocation(url)).not.toThrow(url);
  });

  it('is shown without what is secret', () => {
    expect(labelOf(parseLocation('redis://ann:pw@db:7000/3'))).toBe('db:7000');
    expect(labelOf(parseLocation('redis://ann:pw@[::1]'))).toBe('[::1]:6379');
  });
});
