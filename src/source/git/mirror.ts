import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError, systemCode } from '../../foundation/errors.ts';
import type { Git } from './git-program.ts';
import { formerRefs, headText, packedRefsText, parseHead, parseRefLines, type RefState, type Refs } from './refs.ts';
import { type Remote, remoteError } from './remote.ts';

/** Where a fetch puts what it found, until it is known what that means. */
const INCOMING = 'refs/incoming/';
/** A repository may change between what it names and what it is asked for. */
const FETCH_ATTEMPTS = 3;
/** From so many packs on they are put together, small ones first, so that large ones stay the same files. */
const PACKS_BEFORE_FOLDING = 40;

/**
 * A bare repository of this machine, which is made what another one is. Its `packed-refs` and `HEAD` are written here and
 * not by git: they are exactly what was found.
 */
export class Mirror {
  readonly #git: Git;
  readonly directory: string;

  constructor(git: Git, directory: string) {
    this.#git = git;
    this.directory = directory;
  }

  /** Makes it, with nothing in it. */
  async init(format: 'sha1' | 'sha256'): Promise<void> {
    const words = ['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, '--initial-branch=main'];
    await this.#git.run([...words, '--', this.directory]);
    await chmod(this.directory, 0o700);
    for (const name of ['heads', 'tags']) await rm(join(this.directory, 'refs', name), { recursive: true });
    // As a version of git writes it on any file system: what is captured does not depend on this machine.
    const version = format === 'sha1' ? '0' : '1\n[extensions]\n\tobjectformat = sha256';
    await writeFile(join(this.directory, 'config'), `[core]\n\tbare = true\n\trepositoryformatversion = ${version}\n`);
  }

  /** Makes it anew, with nothing in it. */
  async empty(format: 'sha1' | 'sha256'): Promise<void> {
    await rm(this.directory, { recursive: true });
    await this.init(format);
  }

  /**
   * Brings everything that another repository names here, whatever it names it by now. What is here stays, and is not
   * transferred again.
   * @returns what it named at that moment
   * @throws source-unreachable, source-refused, source-damaged, source-lost
   */
  async fetch(remote: Remote, head: RefState['head']): Promise<Refs> {
    const specs = [
      `+refs/*:${INCOMING}refs/*`,
      ...(head !== undefined && 'id' in head ? [`+HEAD:${INCOMING}HEAD`] : []),
    ];
    const words = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--update-shallow'];
    for (let attempt = 1; ; attempt++) {
      try {
        await remote.git.run([...words, '--', remote.address.url, ...specs], { directory: this.directory });
        return await this.#takeIncoming();
      } catch (error) {
        const said = isHoldfastError(error, 'program-failed') ? String(error.context['said']) : '';
        const hasMoved = /not our ref|couldn't find remote ref/i.test(said);
        if (!hasMoved || attempt === FETCH_ATTEMPTS) throw remoteError(error, remote.address);
        await rm(join(this.directory, INCOMING), { recursive: true, force: true });
      }
    }
  }

  async #takeIncoming(): Promise<Refs> {
    const text = await this.#git.output(['for-each-ref', '--format=%(objectname) %(refname)', `${INCOMING}refs`], {
      directory: this.directory,
    });
    return new Map([...parseRefLines(text)].map(([name, id]) => [name.slice(INCOMING.length), id]));
  }

  /** Makes these all that the repository names. */
  async setRefs({ head, refs }: RefState): Promise<void> {
    await writeFile(join(this.directory, 'packed-refs'), packedRefsText(refs), 'latin1');
    await rm(join(this.directory, 'refs'), { recursive: true, force: true });
    await mkdir(join(this.directory, 'refs'), { mode: 0o700 });
    await writeFile(join(this.directory, 'HEAD'), headText(head), 'latin1');
  }

  /** What the repository names. */
  async state(): Promise<RefState> {
    const text = await this.#git.output(['for-each-ref', '--format=%(objectname) %(refname)'], {
      directory: this.directory,
    });
    return {
      head: parseHead(await readFile(join(this.directory, 'HEAD'), 'latin1')),
      refs: parseRefLines(text),
    };
  }

  /**
   * Of what a repository named before, that which nothing leads to that it names now: commits that were rewritten, or whose
   * branch was deleted before it was merged. What is no commit, such as a tag's own object, counts as such in any case.
   * Needs the new references to be set.
   */
  async unreachable(before: Refs, now: Refs): Promise<Map<string, string>> {
    const living = new Set(now.values());
    const former = [...formerRefs(before, now)].filter(([, id]) => !living.has(id));
    if (former.length === 0) return new Map();
    const ids = [...new Set(former.map(([, id]) => id))];
    const input = ids.map((id) => `${id}\n`).join('');
    const { directory } = this;
    const types = await this.#git.output(['cat-file', '--batch-check=%(objectname) %(objecttype)'], {
      directory,
      input,
    });
    const commits = new Set([...types.matchAll(/^(\S+) commit$/gm)].map(([, id]) => id!));
    const asked = [...commits].map((id) => `${id}\n`).join('');
    const listed =
      asked === ''
        ? ''
        : await this.#git.output(['rev-list', '--stdin', '--not', '--all'], { directory, input: asked });
    const unreached = new Set(listed.split('\n'));
    return new Map(former.filter(([, id]) => !commits.has(id) || unreached.has(id)));
  }

  /** Puts packs of few objects together where there are so many. Those of many stay the files that they are. */
  async foldPacks(from = PACKS_BEFORE_FOLDING): Promise<void> {
    const names = await readdir(join(this.directory, 'objects', 'pack'));
    if (names.filter((name) => name.endsWith('.pack')).length < from) return;
    await this.#git.run(['repack', '-d', '--geometric=2', '--quiet'], { directory: this.directory });
  }

  /** How much there is. */
  async counts(): Promise<{ objects: number; packs: number; bytes: number }> {
    const text = await this.#git.output(['count-objects', '-v'], { directory: this.directory });
    const value = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
    return {
      objects: value('count') + value('in-pack'),
      packs: value('packs'),
      bytes: 1024 * (value('size') + value('size-pack')),
    };
  }

  /** Whether history ends before its beginning, as its source has it. */
  async isShallow(): Promise<boolean> {
    try {
      return (await stat(join(this.directory, 'shallow'))).size > 0;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return false;
      throw error;
    }
  }
}

/** What `git fsck` found. */
export interface Fsck {
  /** What is missing, broken or not what its name promises: the repository is damaged. */
  damage: string[];
  /** How often objects that are whole break a rule of git's, by the name of the rule: history is full of them. */
  breaches: Record<string, number>;
}

/** An object that is there and whole, and not as git would write it today. */
const BREACH = /^(?:error|warning) in (?:commit|tree|tag|blob) [0-9a-f]+: (\w+):?/;
const NAMED_DAMAGE = 20;
const FSCK_LIMIT_BYTES = 256 * 1024 * 1024;

/** Looks at every object of a repository, and whether all is there that is named. @throws program-failed where it could not be looked at */
export async function fsck(git: Git, directory: string): Promise<Fsck> {
  const words = ['fsck', '--full', '--strict', '--no-dangling', '--no-progress'];
  // Its statuses are bits: 1 an object, 2 what is not reached, 4 a pack, 8 a reference, 16 and 32 files beside.
  const acceptedStatuses = Array.from({ length: 64 }, (_, status) => status);
  const said: string[] = [];
  const { status, errorOutput } = await git.run(words, {
    directory,
    acceptedStatuses,
    captureLimitBytes: FSCK_LIMIT_BYTES,
    onOutput: (bytes) => void said.push(Buffer.from(bytes).toString('utf8')),
  });
  const lines = [...said.join('').split('\n'), ...errorOutput.split('\n')].filter((line) => line !== '');
  const breaches: Record<string, number> = {};
  for (const line of lines) {
    const rule = BREACH.exec(line)?.[1];
    if (rule !== undefined) breaches[rule] = (breaches[rule] ?? 0) + 1;
  }
  const other = lines.filter((line) => !BREACH.test(line) && !/^(?:notice|warning|hint): /.test(line));
  // What was said before the last part of it may be anything.
  const isCut = errorOutput.length >= FSCK_LIMIT_BYTES / 4;
  const isDamaged = (status & ~1) !== 0 || (status !== 0 && (other.length > 0 || isCut));
  const unexplained = isDamaged && other.length === 0 ? [`git fsck ended with status ${status}`] : [];
  return { damage: isDamaged ? [...other.slice(0, NAMED_DAMAGE), ...unexplained] : [], breaches };
}

/** @throws source-damaged where something is */
export function refuseDamage({ damage }: Fsck, url: string): void {
  if (damage.length === 0) return;
  throw new HoldfastError('source-damaged', `the git repository ${url} is damaged: ${damage[0]}`, {
    hint: 'Run `git fsck --full` in the repository itself. Nothing was stored; the snapshots until now have what it held then.',
    context: { said: damage.join('\n') },
  });
}
