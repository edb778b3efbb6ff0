import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where a git repository is fetched from, and in which of git's own ways. */
export interface GitAddress {
  protocol: 'path' | 'http' | 'https' | 'ssh' | 'git';
  /** As git takes it: never with a password in it. Of a path, absolute. */
  url: string;
  /** Scheme, host and port of an address over HTTP. */
  origin?: string;
  username?: string;
  /** What stood in the URL. A plan is refused for it; what a reference stands for may have one. */
  password?: string;
}

export const GIT_URL_NOTATION = 'a path, an https:// or ssh:// URL, or host:path';

const SCHEME = /^([a-z][a-z0-9+.-]+):\/\//i;
/** `user@host:path`, as ssh has it: a colon before the first slash. */
const SHORT_SSH = /^(?:([\w.+-]+)@)?(\[[0-9a-f:.]+\]|[\w.][\w.-]*):(?!:)(.+)$/is;

/**
 * The address that a text names, or what is wrong with it. Only what git can fetch without running a program that the text
 * names is taken: no `ext::`, no option in the place of a host. The message never repeats the text.
 * @param directory what a relative path is relative to
 */
export function parseGitUrl(text: string, directory: string): GitAddress | { problem: string } {
  const refuse = (problem: string) => ({ problem: `${problem}; expected ${GIT_URL_NOTATION}` });
  if (text.trim() === '') return refuse('the URL is empty');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(text)) return refuse('a URL holds no control characters');
  if (text.startsWith('-')) return refuse('this begins like an option');
  if (/^[^/]*::/.test(text)) return refuse('a helper program is not run for a URL');
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'file':
      return parseFileUrl(text) ?? refuse('not a file URL of this machine');
    case 'http':
    case 'https':
    case 'ssh':
    case 'git':
      return parseUrl(text, scheme) ?? refuse(`not a URL of ${scheme}`);
    case undefined:
      break;
    default:
      return refuse(`git repositories are not fetched by ${scheme}:`);
  }
  const slash = text.indexOf('/');
  const colon = text.indexOf(':');
  if (colon < 0 || (slash >= 0 && slash < colon)) {
    if (text.startsWith('~')) return { problem: '"~" is not expanded; expected an absolute path' };
    return { protocol: 'path', url: resolve(directory, text) };
  }
  const short = SHORT_SSH.exec(text);
  if (short === null) return refuse('not an address of ssh');
  return { protocol: 'ssh', url: text, ...(short[1] !== undefined && { username: short[1] }) };
}

function parseFileUrl(text: string): GitAddress | undefined {
  try {
    return { protocol: 'path', url: resolve(fileURLToPath(text)) };
  } catch {
    // A host, an escaped slash, or no URL at all.
    return undefined;
  }
}

function parseUrl(text: string, protocol: 'http' | 'https' | 'ssh' | 'git'): GitAddress | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const { username, password, host, hostname } = url;
  if (hostname === '' || hostname.startsWith('-') || username.startsWith('-')) return undefined;
  url.password = '';
  return {
    protocol,
    url: url.toString(),
    ...(protocol.startsWith('http') && { origin: `${protocol}://${host}` }),
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
  };
}
