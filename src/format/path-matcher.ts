import { bytesOf } from './tree-node.ts';

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
  const compiled = patterns.map(segmentsOf);
  if (compiled.length === 0) return () => false;
  return (path) => {
    const names = namesOf(path);
    return compiled.some((segments) => matches(names, segments));
  };
}

/**
 * Whether something below a directory may be what one of the patterns names: where not, nobody has to look into it.
 * @returns a test of the directory's path as a byte string
 */
export function matchesBelow(patterns: readonly string[]): (path: string) => boolean {
  const compiled = patterns.map(segmentsOf);
  return (path) => {
    const names = namesOf(path);
    return compiled.some((segments) => mayMatchBelow(names, segments));
  };
}

function namesOf(path: string): string[] {
  return bytesOf(path).toString('utf8').split('/').slice(1);
}

function mayMatchBelow(names: readonly string[], segments: readonly Segment[]): boolean {
  for (const [at, name] of names.entries()) {
    const segment = segments[at];
    if (segment === '**') return true;
    if (segment === undefined || !segment.test(name)) return false;
  }
  return segments.length > names.length;
}

/** A name's expression, or any number of names. */
type Segment = RegExp | '**';

function segmentsOf(pattern: string): Segment[] {
  const segments = pattern
    .split('/')
    .filter((segment) => segment !== '')
    .map((segment): Segment => (segment === '**' ? '**' : new RegExp(`^${nameExpression(segment)}$`, 'su')));
  // What is in a directory is not the directory.
  if (segments.at(-1) === '**') segments.push(/^/);
  return pattern.startsWith('/') ? segments : ['**', ...segments];
}

/** Goes back to the last `**` only, which is enough, and never takes longer than names times segments. */
function matches(names: readonly string[], segments: readonly Segment[]): boolean {
  let at = 0;
  let afterStars = -1;
  let retryFrom = 0;
  for (let name = 0; name < names.length; ) {
    const segment = segments[at];
    if (segment === '**') {
      at++;
      afterStars = at;
      retryFrom = name;
    } else if (segment?.test(names[name]!)) {
      at++;
      name++;
    } else if (afterStars >= 0) {
      at = afterStars;
      retryFrom++;
      name = retryFrom;
    } else {
      return false;
    }
  }
  return at === segments.length;
}

const TOKEN = /\\(?<literal>.)|\[(?<not>[!^]?)(?<class>\]?[^\]]*)\]|\{(?<either>[^{}]*)\}|(?<wild>[*?])|(?<other>.)/gsu;

function nameExpression(pattern: string): string {
  return [...pattern.matchAll(TOKEN)]
    .map(({ groups = {} }) => {
      if (groups['wild'] !== undefined) return groups['wild'] === '*' ? '.*' : '.';
      if (groups['class'])
        return `[${groups['not'] === '' ? '' : '^'}${groups['class'].replace(/[\\[\]^&~]/g, '\\$&')}]`;
      if (groups['either'] !== undefined) return `(?:${groups['either'].split(',').map(nameExpression).join('|')})`;
      return literally(groups['literal'] ?? groups['other'] ?? '');
    })
    .join('');
}

function literally(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}
