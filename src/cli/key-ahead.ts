/**
 * A repository's key, derived from the moment that a command starts: that takes longer than all that has to be loaded before
 * somebody asks for it. What it takes beside the password was noted when the same command opened the repository before, or
 * another one of the same plan. Where that is not so any more, what was begun is of no use, and nothing else comes of it.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { readOwnFile, writeOwnFile } from '../foundation/own-file.ts';
import { beginScrypt, isBounded, type ScryptInput } from '../foundation/scrypt.ts';
import { userCacheDirectory } from '../foundation/user-cache.ts';
import type { SecretReference } from '../plan/index.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** A password that can be had at once. */
type Place = { env: string } | { file: string };

interface Noted extends Omit<ScryptInput, 'salt'> {
  password: Place;
  /** In base64. */
  salt: string;
}

/** Of so many commands and directories; then they are noted anew. */
const MOST_NOTES = 100;

/** Commands that open a repository whatever else they are given: mostly the one that another of them opened last. */
export const OPENING_COMMANDS: ReadonlySet<string> = new Set(
  'backup check compare diff history ls prune repair restore retain snapshots status verify'.split(' '),
);

export interface CommandToBegin {
  /** What tells, with the directory and the variables, what it will open. */
  words: readonly string[];
  /** The same of any command of `OPENING_COMMANDS`, where this is one. */
  plan?: readonly string[];
}

export class KeyAhead {
  readonly #directory: string | undefined;
  /** The command's own note, and that of its plan. */
  readonly #names: readonly string[];
  /** What they say. */
  readonly #noted = new Map<string, string | undefined>();

  constructor({ words, plan }: CommandToBegin, variables: Variables) {
    const cache = userCacheDirectory(variables);
    this.#directory = cache && join(cache, 'keys');
    const names = [nameOf(words, variables)];
    if (plan !== undefined) names.push(nameOf(['', ...plan], variables));
    this.#names = names;
  }

  /** Begins to derive the key, where it is known of what. */
  begin(variables: Variables): void {
    for (const name of this.#names) {
      const noted = this.#read(name);
      const password = noted && passwordAt(noted.password, variables);
      if (password === undefined) continue;
      const { salt, N, r, p } = noted!;
      beginScrypt(password, { salt: Buffer.from(salt, 'base64'), N, r, p });
      return;
    }
  }

  /** Notes what the key was derived of, for the next time. @returns whether it was: nothing but speed hangs on it */
  note(password: SecretReference, { salt, N, r, p }: ScryptInput): boolean {
    const directory = this.#directory;
    if (directory === undefined || !('env' in password || 'file' in password)) return false;
    const noted: Noted = { password, salt: Buffer.from(salt).toString('base64'), N, r, p };
    const text = JSON.stringify(noted);
    return this.#names.every((name) => {
      if (!this.#noted.has(name)) this.#read(name);
      if (this.#noted.get(name) === text) return true;
      this.#noted.set(name, text);
      return writeOwnFile(directory, name, { text, mostFiles: MOST_NOTES });
    });
  }

  #read(name: string): Noted | undefined {
    const text = this.#directory === undefined ? undefined : readOwnFile(join(this.#directory, name));
    this.#noted.set(name, text);
    return text === undefined ? undefined : parseNoted(text);
  }
}

function nameOf(words: readonly string[], variables: Variables): string {
  const place = JSON.stringify([workingDirectory(), variables['HOLDFAST_PLAN'], ...words]);
  return `${createHash('sha256').update(place).digest('hex').slice(0, 32)}.json`;
}

/** Somebody may have removed it, which some commands do not mind. */
function workingDirectory(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

function parseNoted(text: string): Noted | undefined {
  try {
    const noted = JSON.parse(text) as Noted;
    const { env, file } = noted.password as { env?: string; file?: string };
    const isPlace = typeof (env ?? file) === 'string';
    return isPlace && isBounded(noted) && typeof noted.salt === 'string' ? noted : undefined;
  } catch {
    return undefined;
  }
}

function passwordAt(place: Place, variables: Variables): string | undefined {
  const given = 'env' in place ? variables[place.env] : readOwnFile(place.file);
  return given?.replace(/[\r\n]+$/, '');
}
