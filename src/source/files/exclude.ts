import { bytesOf } from '../../format/index.ts';

/**
 * Which paths a list of patterns names. A pattern without `/` matches a name at any depth; one that begins with `/` matches
 * a whole path; any other matches the end of a path. What lies in a directory that matches is meant as well.
 *
 * `*` stands for any part of a name, `?` for one character, `[a-z]` and `[!a-z]` for one of a class, `{a,b}` for one of
 * several, `**` for any number of directories; `\` takes the next character as it is. Names that begin with a dot are
 * names like any other.
 *
 * @returns a test of a path as a byte string (`/srv/uploads/a.tmp`)
 */
export function pathMatcher(patterns: readonly string[]): (path: string) => boolean {
  if (patterns.length === 0) return () => false;
  const expression = new RegExp(`^(?:${patterns.map(pathExpression).join('|')})$`, 'su');
  return (path) => expression.test(bytesOf(path).toString('utf8'));
}

function pathExpression(pattern: string): string {
  const isWhole = pattern.startsWith('/');
  const segments = pattern.split('/').filter((segment) => segment !== '');
  const expressions = segments.map((segment, at) => {
    if (segment !== '**') return `/${nameExpression(segment)}`;
    return at === segments.length - 1 ? '(?:/[^/]+)+' : '(?:/[^/]+)*';
  });
  return `${isWhole ? '' : '(?:/[^/]+)*'}${expressions.join('')}`;
}

const TOKEN = /\\(?<literal>.)|\[(?<not>[!^]?)(?<class>\]?[^\]]*)\]|\{(?<either>[^{}]*)\}|(?<wild>[*?])|(?<other>.)/gsu;

function nameExpression(pattern: string): string {
  return [...pattern.matchAll(TOKEN)]
    .map(({ groups = {} }) => {
      if (groups['wild'] !== undefined) return groups['wild'] === '*' ? '[^/]*' : '[^/]';
      if (groups['class'])
        return `(?!/)[${groups['not'] === '' ? '' : '^'}${groups['class'].replace(/[\\[\]^&~]/g, '\\$&')}]`;
      if (groups['either'] !== undefined) return `(?:${groups['either'].split(',').map(nameExpression).join('|')})`;
      return literally(groups['literal'] ?? groups['other'] ?? '');
    })
    .join('');
}

function literally(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}
