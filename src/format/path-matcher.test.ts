import { describe, expect, it } from 'vitest';
import { byteStringOfText } from './index.ts';
import { pathMatcher } from './path-matcher.ts';

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
