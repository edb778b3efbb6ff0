import { createHash } from 'node:crypto';

/**
 * References by their names, and the ids of the objects that they name. Names are byte strings, one character a byte: git
 * does not say what they are encoded in.
 */
export type Refs = ReadonlyMap<string, string>;

/** What a repository names, at one moment. */
export interface RefState {
  /** Where HEAD leads: a reference (which need not exist) or an object. Undefined where nothing was said of it. */
  head: { ref: string } | { id: string } | undefined;
  /** Everything below `refs/`. */
  refs: Refs;
}

/** Where what is gone or was rewritten at its source is kept. */
export const KEPT_PREFIX = 'refs/holdfast/';

const LINE = /^([0-9a-f]{40}|[0-9a-f]{64})[ \t](refs\/.+)$/;

/** The references of a `packed-refs` file, of `git for-each-ref` or of `git ls-remote`: an id and a name a line. */
export function parseRefLines(text: string): Map<string, string> {
  const refs = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, id, name] = LINE.exec(line) ?? [];
    // What follows a tag with `^{}` is what it leads to, and no reference.
    if (id !== undefined && name !== undefined && !name.endsWith('^{}')) refs.set(name, id);
  }
  return refs;
}

/** What `git ls-remote --symref` says. */
export function parseLsRemote(text: string): RefState {
  const symbolic = /^ref: (refs\/[^\t\n]+)\tHEAD$/m.exec(text)?.[1];
  const detached = /^([0-9a-f]+)\tHEAD$/m.exec(text)?.[1];
  const head = symbolic !== undefined ? { ref: symbolic } : detached !== undefined ? { id: detached } : undefined;
  return { head, refs: parseRefLines(text) };
}

/** What a `HEAD` file says. */
export function parseHead(text: string): RefState['head'] {
  const line = text.trim();
  const ref = /^ref: (refs\/.+)$/.exec(line)?.[1];
  if (ref !== undefined) return { ref };
  return /^[0-9a-f]+$/.test(line) ? { id: line } : undefined;
}

/** A `HEAD` file; a HEAD that nothing is known of leads to `main`, as in a new repository. */
export function headText(head: RefState['head']): string {
  return head !== undefined && 'id' in head ? `${head.id}\n` : `ref: ${head?.ref ?? 'refs/heads/main'}\n`;
}

/** A `packed-refs` file, in the order that git wants. */
export function packedRefsText(refs: Refs): string {
  const lines = [...refs].map(([name, id]) => `${id} ${name}\n`);
  // One character a byte: this is the order of the bytes.
  const byName = (line: string): string => line.slice(line.indexOf(' ') + 1);
  return `# pack-refs with: sorted \n${lines.sort((a, b) => (byName(a) < byName(b) ? -1 : 1)).join('')}`;
}

/** SHA-256 over HEAD and all references, in hex: the same for two repositories that name the same by the same names. */
export function refsDigest({ head, refs }: RefState): string {
  return createHash('sha256')
    .update(headText(head) + packedRefsText(refs), 'latin1')
    .digest('hex');
}

/**
 * Whether a repository still names just what was stored of it. What is kept of earlier times does not count, unless it
 * names it too.
 */
export function isUnchanged(living: RefState, stored: RefState): boolean {
  if (headText(living.head) !== headText(stored.head)) return false;
  for (const [name, id] of living.refs) if (stored.refs.get(name) !== id) return false;
  for (const name of stored.refs.keys()) if (!name.startsWith(KEPT_PREFIX) && !living.refs.has(name)) return false;
  return true;
}

/** The references of a stored state that are kept of earlier times, and what a repository that was fetched names otherwise now. */
export function formerRefs(stored: Refs, living: Refs): Map<string, string> {
  return new Map([...stored].filter(([name, id]) => living.get(name) !== id));
}

/**
 * The references of a new backup: all that the repository names, and besides, under `refs/holdfast/`, what it named before
 * and nothing leads to any more.
 *
 * What was `refs/heads/main` at a backup of 2026-11-21T22:41:11Z becomes `refs/holdfast/20261121T224111Z/heads/main`; what
 * was kept already keeps its name. The source may name things below `refs/holdfast/` too, by a restored copy or out of
 * spite: what is kept then makes way and is never lost.
 * @param former what is to be kept, by the names that it had
 * @param momentMs of the backup that had it, milliseconds since 1970
 */
export function withKept(living: Refs, former: Refs, momentMs: number): Map<string, string> {
  const moment = new Date(momentMs).toISOString().replace(/[-:]|\.\d+/g, '');
  const all = new Map(living);
  const names = new TakenNames(living.keys());
  for (const [name, id] of former) {
    if (name.startsWith(KEPT_PREFIX) && names.take(name)) all.set(name, id);
    else all.set(freeName(names, moment, name), id);
  }
  return all;
}

function freeName(names: TakenNames, moment: string, name: string): string {
  for (let attempt = 1; ; attempt++) {
    const mark = attempt === 1 ? moment : `${moment}-${attempt}`;
    const free = `${KEPT_PREFIX}${mark}/${name.slice('refs/'.length)}`;
    if (names.take(free)) return free;
  }
}

/** Names of references, of which none may be a directory of another. */
class TakenNames {
  readonly #names = new Set<string>();
  readonly #directories = new Set<string>();

  constructor(names: Iterable<string>) {
    for (const name of names) this.#add(name);
  }

  /** Whether the name was free; it is taken from now on. */
  take(name: string): boolean {
    const isTaken =
      this.#names.has(name) || this.#directories.has(name) || directoriesOf(name).some((each) => this.#names.has(each));
    if (!isTaken) this.#add(name);
    return !isTaken;
  }

  #add(name: string): void {
    this.#names.add(name);
    for (const directory of directoriesOf(name)) this.#directories.add(directory);
  }
}

function directoriesOf(name: string): string[] {
  const parts = name.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
