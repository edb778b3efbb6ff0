/**
 * A repository's key, derived from the moment that a command starts: that takes longer than all that has to be loaded before
 * somebody asks for it. What it takes beside the password was noted when the same command opened the repository before. Where
 * that is not so any more, what was begun is of no use, and nothing else comes of it.
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

export class KeyAhead {
  readonly #directory: string | undefined;
  readonly #name: string;
  #noted: string | undefined;

  /** @param words of the command line, which tell with the directory and the variables what will be opened */
  constructor(words: readonly string[], variables: Variables) {
    const cache = userCacheDirectory(variables);
    this.#directory = cache && join(cache, 'keys');
    const place = JSON.stringify([workingDirectory(), variables['HOLDFAST_PLAN'], ...words]);
    this.#name = `${createHash('sha256').update(place).digest('hex').slice(0, 32)}.json`;
  }

  /** Begins to derive the key, where it is known of what. */
  begin(variables: Variables): void {
    if (this.#directory === undefined) return;
    this.#noted = readOwnFile(join(this.#directory, this.#name));
    const noted = this.#noted === undefined ? undefined : parseNoted(this.#noted);
    const password = noted && passwordAt(noted.password, variables);
    if (password === undefined) return;
    const { salt, N, r, p } = noted!;
    beginScrypt(password, { salt: Buffer.from(salt, 'base64'), N, r, p });
  }

  /** Notes what the key was derived of, for the next time. @returns whether it was: nothing but speed hangs on it */
  note(password: SecretReference, { salt, N, r, p }: ScryptInput): boolean {
    if (this.#directory === undefined || !('env' in password || 'file' in password)) return false;
    const noted: Noted = { password, salt: Buffer.from(salt).toString('base64'), N, r, p };
    const text = JSON.stringify(noted);
    if (text === this.#noted) return true;
    this.#noted = text;
    return writeOwnFile(this.#directory, this.#name, { text, mostFiles: MOST_NOTES });
  }
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
