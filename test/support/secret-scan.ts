import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a known secret stands in clear, in whatever way somebody would write it. */
export interface Sighting {
  /** Which of the secrets, by its place in the list: never its value. */
  secret: number;
  form: string;
  where: string;
}

/** Looks for known secrets in outputs, files and the arguments of processes. */
export class SecretScan {
  readonly sightings: Sighting[] = [];
  readonly #needles: { secret: number; form: string; bytes: Buffer }[];
  /** Argument lists that were seen already, and how many there were. */
  readonly #seen = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  /** Processes that were there at first: on a machine with many, to look at all of them each time takes much of a processor. */
  #others = new Set<string>();

  /** @param secrets of six characters at least: shorter ones stand anywhere by chance */
  constructor(secrets: readonly string[]) {
    this.#needles = secrets.flatMap((value, secret) =>
      formsOf(value).map(([form, bytes]) => ({ secret, form, bytes })),
    );
  }

  text(text: string | Buffer, where: string): void {
    const bytes = Buffer.from(text as string);
    for (const { secret, form, bytes: needle } of this.#needles)
      if (bytes.includes(needle)) this.sightings.push({ secret, form, where });
  }

  /** All files below a directory, and their names. @param except paths that are to hold secrets */
  directory(directory: string, except: readonly string[] = []): void {
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      if (except.includes(path)) continue;
      this.text(name, `the name of ${path}`);
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats?.isDirectory()) this.directory(path, except);
      else if (stats?.isFile()) this.text(readFileSync(path), path);
    }
  }

  /** Looks at the arguments of all processes of the machine, and of those that start, until it is stopped. */
  watchArguments(): void {
    this.#lookAtArguments();
    this.#others = new Set(pids());
    this.#timer = setInterval(() => this.#lookAtArguments(), 100);
  }

  /** @returns how many different lists of arguments were seen */
  stopWatching(): number {
    clearInterval(this.#timer);
    this.#lookAtArguments();
    return this.#seen.size;
  }

  #lookAtArguments(): void {
    const running = new Set(pids());
    this.#others = this.#others.intersection(running);
    for (const pid of running.difference(this.#others)) {
      const words = argumentsOf(pid);
      if (this.#seen.has(words)) continue;
      this.#seen.add(words);
      this.text(words, `the arguments of process ${pid}`);
    }
  }
}

function pids(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}

/** A value as it is, and in the ways that programs write values in. */
function formsOf(value: string): [form: string, bytes: Buffer][] {
  const plain = Buffer.from(value);
  const json = JSON.stringify(value).slice(1, -1);
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), plain]).toString('base64');
    // What stands beside the value changes the characters at its ends.
    const start = Math.ceil((shift * 8) / 6);
    const end = Math.floor(((shift + plain.length) * 8) / 6);
    return text.slice(start, end);
  });
  const texts: [string, string][] = [
    ['plain', value],
    ['JSON', json],
    ['hex', plain.toString('hex')],
    ['HEX', plain.toString('hex').toUpperCase()],
    ['URL', encodeURIComponent(value)],
    ['form', new URLSearchParams({ v: value }).toString().slice(2)],
    ...base64.map((text): [string, string] => ['base64', text]),
    ...base64.map((text): [string, string] => ['base64url', text.replaceAll('+', '-').replaceAll('/', '_')]),
    ['shell', value.replaceAll("'", `'\\''`)],
    ['UTF-16', plain.toString('utf8').split('').join('\0')],
  ];
  const distinct = new Map(texts.map(([form, text]) => [text, form]));
  return [...distinct].map(([text, form]) => [form, Buffer.from(text)]);
}
