import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteStringOfText } from './index.ts';
import { matchesBelow, pathMatcher } from './path-matcher.ts';

describe('a pattern of what is left out', () => {
  it.each([
    [
      '*.tmp',
      ['/srv/a.tmp', '/a.tmp', '/srv/.hidden.tmp', '/srv/.git/a.tmp', '/srv/new\nline.tmp'],
      ['/srv/a.tmp.gz', '/a.tmpx'],
    ],
    ['cache', ['/cache', '/srv/cache', '/srv/.config/cache'], ['/srv/mycache', '/srv/cache2', '/srv/cache/inside']],
    ['cache/', ['/srv/cache'], ['/srv/cach']],
    ['/srv/*.log', ['/srv/a.log', '/srv/.log'], ['/srv/b/a.log', '/x/srv/a.log']],
    ['logs/*.log', ['/srv/logs/a.log', '/logs/a.log'], ['/srv/logs/b/a.log', '/srv/mylogs/a.log']],
    ['/srv/**/tmp', ['/srv/tmp', '/srv/a/tmp', '/srv/a/.b/tmp'], ['/tmp', '/srv/tmpx']],
    ['/srv/**', ['/srv/a', '/srv/a/b'], ['/srv', '/srvx']],
    ['file-?', ['/file-1', '/srv/file-ü', '/file-🌍'], ['/file-', '/file-12', '/file-/']],
    ['[a-c]x', ['/ax', '/cx'], ['/dx', '/x']],
    ['[!a-c]x', ['/dx', '/ üx'.replace(' ', '')], ['/ax', '/x']],
    ['*.{jpg,png}', ['/a.jpg', '/b/.png'], ['/a.gif', '/a.{jpg,png}']],
    ['a\\*', ['/a*'], ['/ab']],
    ['a+(b)$^|.c', ['/a+(b)$^|.c'], ['/aab']],
    ['Grüße', ['/srv/Grüße'], ['/srv/Grusse']],
    ['[', ['/['], ['/a']],
  ])('%s names what it should and nothing else', (pattern, named, others) => {
    const matches = pathMatcher([pattern]);
    for (const path of named) expect(matches(byteStringOfText(path)), path).toBe(true);
    for (const path of others) expect(matches(byteStringOfText(path)), path).toBe(false);
  });

  it('is one of several', () => {
    const matches = pathMatcher(['*.tmp', '/srv/cache']);
    expect(['/a.tmp', '/srv/cache', '/b'].map(matches)).toEqual([true, true, false]);
    expect(pathMatcher([])('/anything')).toBe(false);
  });

  it('matches names that are not UTF-8', () => {
    expect(pathMatcher(['*.tmp'])('/caf\xe9.tmp')).toBe(true);
  });

  it('does not take longer and longer for a long path', () => {
    // Of the processor: others may be at work beside it.
    const begun = process.cpuUsage();
    pathMatcher(['**/x/**/y/**/z', '**/**/**/z'])('/x/y'.repeat(1000));
    const { user, system } = process.cpuUsage(begun);
    expect((user + system) / 1000).toBeLessThan(1000);
  });
});

describe('what may be named below a directory', () => {
  it.each([
    ['/srv/a/*.log', ['', '/srv', '/srv/a'], ['/srv/a/b', '/srv/b', '/x', '/srv/a.log']],
    ['/srv/*/x', ['', '/srv', '/srv/anything'], ['/srv/a/x', '/x']],
    ['/srv/**/tmp', ['', '/srv', '/srv/a/b'], ['/x']],
    ['*.log', ['', '/srv', '/a/b/c'], []],
    ['logs/a', ['', '/srv', '/logs'], []],
  ])('by %s', (pattern, open, closed) => {
    const isOpen = matchesBelow([pattern]);
    for (const path of open) expect(isOpen(path), path).toBe(true);
    for (const path of closed) expect(isOpen(path), path).toBe(false);
  });

  it('has each directory open that leads to what is named', () => {
    const name = fc.constantFrom('a', 'b', 'ab', '.x');
    const segment = fc.oneof(name, fc.constantFrom('*', '**', '?', 'a*', '{a,b}', '[!a]'));
    const pattern = fc.tuple(fc.boolean(), fc.array(segment, { minLength: 1, maxLength: 4 }));
    const names = fc.array(name, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(pattern, names, ([isWhole, segments], path) => {
        const text = `${isWhole ? '/' : ''}${segments.join('/')}`;
        fc.pre(pathMatcher([text])(`/${path.join('/')}`));
        const isOpen = matchesBelow([text]);
        for (let length = 1; length < path.length; length++) {
          expect(isOpen(`/${path.slice(0, length).join('/')}`)).toBe(true);
        }
      }),
    );
  });
});
