import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorOf } from '../../../test/support/postgres-source.ts';
import { connectFailure, workFailure } from './failures.ts';
import { databaseArgument, labelOf, parseLocation, programEnvironment } from './location.ts';
import { Session } from './session.ts';

const signal = new AbortController().signal;

describe('the location of a database', () => {
  it.each([
    [
      'postgres://u:p@db.example:5433/shop',
      { host: 'db.example', port: 5433, user: 'u', password: 'p', database: 'shop' },
    ],
    ['postgresql://u@db/shop', { host: 'db', port: 5432, user: 'u', password: undefined, database: 'shop' }],
    ['POSTGRES://u@[::1]:1/d', { host: '::1', port: 1, database: 'd' }],
    ['postgres://a%40b:p%3A%2F%25@h/d%2Fe', { user: 'a@b', password: 'p:/%', database: 'd/e' }],
    ['postgres://u:p:q@h/d', { user: 'u', password: 'p:q' }],
    ['postgres://u@/d?host=/var/run/x&port=6432', { host: '/var/run/x', port: 6432 }],
    ['postgres://u@%2Frun%2Fpg/d', { host: '/run/pg' }],
    ['postgres://u@h', { database: 'u' }],
    ['postgres://h/d?user=x&password=y+z&dbname=e', { user: 'x', password: 'y+z', database: 'e' }],
    ['postgres:///d', { host: '/var/run/postgresql' }],
  ])('is read from %s', (url, expected) => {
    expect(parseLocation(url)).toMatchObject(expected);
  });

  it.each(['', 'mysql://u@h/d', 'shop', 'postgres://u@h:port/d', 'postgres://u:%zz@h/d', 'postgres://a@b@c/d'])(
    'refuses %j without repeating it',
    async (url) => {
      const error = await errorOf((async () => parseLocation(url))());
      expect(error).toMatchObject({ code: 'plan-invalid' });
      if (url !== '') expect(inspect(error)).not.toContain(url);
    },
  );

  it('refuses several hosts, a port that is none, and one too many', async () => {
    for (const url of [
      'postgres://u@a,b/d',
      'postgres://u@h:99999/d',
      'postgres://u@h/d?port=x',
      'postgres://u@h/d?host=a,b',
    ]) {
      expect(await errorOf((async () => parseLocation(url))())).toMatchObject({ code: 'plan-invalid' });
    }
  });

  it('keeps its password out of every message', async () => {
    const password = fc.string({ unit: 'grapheme', minLength: 6, maxLength: 20 }).map((text) => `pw${text}wp`);
    await fc.assert(
      fc.asyncProperty(password, async (secret) => {
        const encoded = encodeURIComponent(secret);
        const shown = (thing: unknown): void => {
          const text = inspect(thing, { depth: 10, showHidden: true });
          expect(text).not.toContain(secret);
          expect(text).not.toContain(encoded);
        };
        const location = parseLocation(`postgres://u:${encoded}@localhost:1/d`);
        expect(location.password).toBe(secret);
        expect(labelOf(location)).toBe('d on localhost:1');
        expect(databaseArgument(location)).not.toContain(secret);
        expect(programEnvironment(location)['PGPASSWORD']).toBe(secret);
        shown(connectFailure(new Error('refused'), location, 'source'));
        shown(workFailure(new Error('x'), location, 'target', 'read'));
        shown(await errorOf(Session.open(location, { side: 'source', signal })));
        shown(await errorOf((async () => parseLocation(`postgres://u:${encoded}@h:x/d`))()));
        shown(await errorOf((async () => parseLocation(`postgres://u:${encoded}%zz@h/d`))()));
      }),
      { numRuns: 40 },
    );
  });

  it('quotes the name of a database for libpq', () => {
    const location = parseLocation(`postgres://u@h/${encodeURIComponent(`it's \\ a=b host=evil`)}`);
    expect(databaseArgument(location)).toMatch(/^dbname='it\\'s \\\\ a=b host=evil' /);
  });
});
