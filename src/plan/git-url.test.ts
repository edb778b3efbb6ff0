import { describe, expect, it } from 'vitest';
import { parseGitUrl } from './git-url.ts';

describe('the address of a git repository', () => {
  it.each([
    ['/srv/git/omni.git', { protocol: 'path', url: '/srv/git/omni.git' }],
    ['../omni.git', { protocol: 'path', url: '/srv/omni.git' }],
    ['./a:b', { protocol: 'path', url: '/srv/plan/a:b' }],
    ['file:///srv/a%20b', { protocol: 'path', url: '/srv/a b' }],
    ['https://host/x.git', { protocol: 'https', url: 'https://host/x.git', origin: 'https://host' }],
    ['http://host:8080/x', { protocol: 'http', url: 'http://host:8080/x', origin: 'http://host:8080' }],
    ['ssh://git@host:22/x', { protocol: 'ssh', url: 'ssh://git@host:22/x', username: 'git' }],
    ['git@host:team/x.git', { protocol: 'ssh', url: 'git@host:team/x.git', username: 'git' }],
    ['host:x', { protocol: 'ssh', url: 'host:x' }],
    ['git://host/x', { protocol: 'git', url: 'git://host/x' }],
  ])('is taken as git takes it: %s', (text, address) => {
    expect(parseGitUrl(text, '/srv/plan')).toEqual(address);
  });

  it('gives the password apart, and a URL without', () => {
    expect(parseGitUrl('https://me:s%40crt@host/x', '/')).toEqual({
      ...{ protocol: 'https', url: 'https://me@host/x', origin: 'https://host' },
      ...{ username: 'me', password: 's@crt' },
    });
  });

  it.each([
    ['ext::sh -c "touch /tmp/x"', 'a helper program'],
    ['fd::17/x', 'a helper program'],
    ['--upload-pack=touch /tmp/x', 'like an option'],
    ['-x', 'like an option'],
    ['ssh://-oProxyCommand=x/y', 'not a URL of ssh'],
    ['-oProxyCommand=x:y', 'like an option'],
    ['git@-oProxyCommand=x:y', 'not an address of ssh'],
    ['ftp://host/x', 'not fetched by ftp:'],
    ['file://host/x', 'not a file URL'],
    ['/srv/a\nb', 'control characters'],
    ['https://', 'not a URL of https'],
    ['~/x', 'not expanded'],
    [' ', 'is empty'],
  ])('is refused where git would run something, or cannot mean it: %s', (text, why) => {
    expect(parseGitUrl(text, '/')).toEqual({ problem: expect.stringContaining(why) });
  });
});
