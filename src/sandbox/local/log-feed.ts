import { chmod, chown, copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { settled } from '../../foundation/promises.ts';
import { shellWord } from '../../foundation/shell-word.ts';
import type { LogFiles } from '../sandbox.ts';
import type { SystemUser } from './unprivileged-user.ts';

const LOOK_EVERY_MS = 10;
/** Files that lie ready before the server asks for them. */
const AHEAD = 6;
const NAME = /^([0-9A-F]{24}|[0-9A-F]{8}\.history)$/;

/**
 * Gives a recovering server the files of the log, through a directory that both can reach: see `fetch-log-file.sh`. The
 * server waits for as long as reading one takes; it never takes a file that could not be read for the end of the log.
 */
export class LogFeed {
  readonly #directory: string;
  readonly #script: string;
  readonly #files: LogFiles;
  readonly #user: SystemUser | undefined;
  readonly #stop = new AbortController();
  readonly #made = new Set<string>();
  /** The file that was made last, behind which the next ones are. */
  #last: string | undefined;
  #feeding: Promise<void> = Promise.resolve();

  private constructor(directory: string, script: string, files: LogFiles, user: SystemUser | undefined) {
    this.#directory = directory;
    this.#script = script;
    this.#files = files;
    this.#user = user;
  }

  /**
   * @param parent a directory that the server's user may enter
   * @param onFailure is told once of what keeps the log from being read, which ends the feeding
   */
  static async start(
    parent: string,
    files: LogFiles,
    user: SystemUser | undefined,
    onFailure: (error: unknown) => void,
  ): Promise<LogFeed> {
    const directory = join(parent, 'log-feed');
    const script = join(parent, 'fetch-log-file.sh');
    await copyFile(new URL('./fetch-log-file.sh', import.meta.url), script);
    await chmod(script, 0o755);
    const feed = new LogFeed(directory, script, files, user);
    // Of a server that was started before, and has ended.
    await rm(directory, { recursive: true, force: true });
    for (const path of [directory, ...['ready', 'wanted', 'absent', 'made'].map((name) => join(directory, name))]) {
      await mkdir(path, { mode: 0o700 });
      await feed.#give(path);
    }
    feed.#begin(onFailure);
    return feed;
  }

  /** The server's `restore_command`. */
  get command(): string {
    return `/bin/sh ${word(this.#script)} ${word(this.#directory)} "%f" "%p"`;
  }

  #begin(onFailure: (error: unknown) => void): void {
    this.#feeding = this.#feed().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) onFailure(error);
    });
  }

  /** Ends the feeding; who still waits for a file is told that something went wrong. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#feeding;
    await rm(join(this.#directory, 'ready'), { recursive: true, force: true });
  }

  async #feed(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const name of await readdir(join(this.#directory, 'wanted'))) {
        if (NAME.test(name) && (await this.#make(name))) this.#last = name;
        await rm(join(this.#directory, 'wanted', name), { force: true });
      }
      await this.#makeAhead();
      await settled(sleep(LOOK_EVERY_MS, undefined, { signal: this.#stop.signal }));
    }
  }

  /** While the server replays what it took, what follows is read. */
  async #makeAhead(): Promise<void> {
    if (this.#last === undefined || (await readdir(join(this.#directory, 'ready'))).length >= AHEAD) return;
    const next = this.#files.following(this.#last);
    this.#last = next !== undefined && (await this.#make(next)) ? next : undefined;
  }

  /** @returns whether there is such a file */
  async #make(name: string): Promise<boolean> {
    if (this.#made.has(name)) return this.#makeAgain(name);
    const bytes = await this.#files.read(name);
    this.#stop.signal.throwIfAborted();
    await this.#put(bytes === undefined ? 'absent' : 'ready', name, bytes ?? new Uint8Array());
    if (bytes !== undefined) this.#made.add(name);
    return bytes !== undefined;
  }

  /** The server may ask for a file anew that it has had; one that lies ready is left there. */
  async #makeAgain(name: string): Promise<boolean> {
    if ((await readdir(join(this.#directory, 'ready'))).includes(name)) return true;
    this.#made.delete(name);
    return this.#make(name);
  }

  /** A file is there whole, or not at all. */
  async #put(place: 'ready' | 'absent', name: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.#directory, 'made', name);
    await writeFile(path, bytes, { mode: 0o600 });
    await this.#give(path);
    await rename(path, join(this.#directory, place, name));
  }

  async #give(path: string): Promise<void> {
    if (this.#user !== undefined) await chown(path, this.#user.uid, this.#user.gid);
  }
}

/** For the shell that the server runs the command with, and so that the server finds no `%` in it. */
function word(path: string): string {
  return shellWord(path).replaceAll('%', '%%');
}
