import { readdirSync } from 'node:fs';
import { bytesOf } from '../../../format/index.ts';
import { systemCode } from '../../../foundation/errors.ts';
import { INOTIFY, type Inotify, type InotifyEvent } from '../../../foundation/inotify.ts';
import { mountPoints } from '../../../foundation/mounts.ts';
import type { Changes, Watch, WatchContext } from '../../index.ts';
import { everythingAt } from '../changes.ts';
import { tooFewWatches } from './limits.ts';
import type { WatchedPaths } from './watched-paths.ts';

/** What happens meanwhile the system keeps: 16,384 events, by default. */
const READ_EVERY_MS = 100;
/** A file system that was mounted tells nobody. */
const LOOK_AT_MOUNTS_EVERY_MS = 5000;

const CONTENT = INOTIFY.modify | INOTIFY.writtenAndClosed | INOTIFY.attributes;
const COMING = INOTIFY.create | INOTIFY.movedTo;
const GOING = INOTIFY.remove | INOTIFY.movedFrom;
const OF_ITSELF = INOTIFY.removeSelf | INOTIFY.moveSelf;
const MASK = CONTENT | COMING | GOING | OF_ITSELF | INOTIFY.onlyDirectory;

/**
 * Watches directories and all below them by inotify, and the directories that lead to them, in which something else may take
 * their place. Excluded directories take no watch. What the system could not tell (a queue that ran over, a file system that
 * was mounted or went) counts as a change anywhere, and all watches are taken anew.
 */
export class TreeWatch implements Watch {
  readonly #inotify: Inotify;
  readonly #watched: WatchedPaths;
  readonly #context: WatchContext;
  /** A directory that is mounted at several places has one watch, and several paths. */
  readonly #paths = new Map<number, Set<string>>();
  readonly #watches = new Map<string, number>();
  #changed: Set<string> | 'anywhere' = new Set();
  #hasNews = false;
  /** Something may have come up that has no watch. */
  #hasLostTrack = false;
  readonly #unwatched = new Set<string>();
  #isLimitTold = false;
  #mounts: string;
  readonly #timers: NodeJS.Timeout[];

  /** @param inotify is closed with this */
  constructor(inotify: Inotify, watched: WatchedPaths, context: WatchContext) {
    this.#inotify = inotify;
    this.#watched = watched;
    this.#context = context;
    this.#mounts = this.#mountsNow();
    this.#watchAll();
    this.#timers = [
      setInterval(() => this.#read(), READ_EVERY_MS),
      setInterval(() => this.#lookAtMounts(), LOOK_AT_MOUNTS_EVERY_MS),
    ];
  }

  get isIncomplete(): boolean {
    return this.#unwatched.size > 0;
  }

  take(): Changes {
    this.#read();
    const changed = this.#changed;
    this.#changed = new Set();
    if (this.#hasLostTrack) this.#watchAll();
    return changed;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#inotify.close();
  }

  #read(): void {
    for (const event of this.#inotify.read()) this.#heed(event);
    if (!this.#hasNews) return;
    this.#hasNews = false;
    this.#context.onChange();
  }

  #heed({ watch, mask, name }: InotifyEvent): void {
    if ((mask & INOTIFY.overflow) !== 0) {
      this.#loseTrack('more changed at once than the system keeps track of (fs.inotify.max_queued_events)');
      return;
    }
    if ((mask & INOTIFY.unmount) !== 0) this.#loseTrack('a file system was unmounted');
    for (const path of this.#paths.get(watch) ?? []) {
      if ((mask & INOTIFY.ignored) !== 0) this.#forget(path);
      else if (name !== '') this.#heedEntry(path, name, mask);
      else if ((mask & OF_ITSELF) !== 0 && this.#watched.leadsTo(path)) this.#changedAnywhere();
      else if ((mask & INOTIFY.attributes) !== 0) this.#note(path);
    }
  }

  #heedEntry(directory: string, name: string, mask: number): void {
    const path = `${directory}/${name}`;
    const isDirectory = (mask & INOTIFY.isDirectory) !== 0;
    const cameOrWent = (mask & (COMING | GOING)) !== 0;
    // What leads to a path of the plan, be it a link: what is behind it is another one then.
    if (cameOrWent && this.#watched.leadsTo(path) && (isDirectory || !this.#watched.includes(path))) {
      this.#changedAnywhere();
    }
    if (!this.#watched.includes(path)) {
      // The directory has another time now: that alone is worth no snapshot.
      if (cameOrWent && this.#watched.includes(directory)) this.#add(directory);
      return;
    }
    if (isDirectory && (mask & INOTIFY.remove) !== 0) this.#unwatch(path);
    if (isDirectory && (mask & INOTIFY.movedFrom) !== 0) this.#unwatchBelow(path);
    if (isDirectory && (mask & COMING) !== 0) this.#watchBelow(path);
    // One that went and came may be another one.
    this.#note(isDirectory && (mask & COMING) !== 0 ? everythingAt(path) : path);
  }

  #note(place: string): void {
    this.#hasNews = true;
    this.#add(place);
  }

  #add(place: string): void {
    if (this.#changed !== 'anywhere') this.#changed.add(place);
  }

  #loseTrack(why: string): void {
    if (!this.#hasLostTrack) this.#context.note(`${why}: everything is looked at again`);
    this.#changedAnywhere();
  }

  #changedAnywhere(): void {
    this.#hasNews = true;
    this.#hasLostTrack = true;
    this.#changed = 'anywhere';
  }

  #watchAll(): void {
    this.#hasLostTrack = false;
    this.#unwatched.clear();
    for (const path of this.#watched.leading) this.#watch(path);
    for (const path of this.#watched.paths) this.#watchBelow(path);
    if (this.#unwatched.size === 0) this.#isLimitTold = false;
  }

  /** Watched before it is listed: what comes up in between is told, or listed, or both. */
  #watchBelow(top: string): void {
    const left = [top];
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      if (!this.#watch(path)) continue;
      for (const name of directoriesIn(path)) {
        if (this.#watched.includes(`${path}/${name}`)) left.push(`${path}/${name}`);
      }
    }
    if (this.#unwatched.size === 0 || this.#isLimitTold) return;
    this.#isLimitTold = true;
    this.#context.note(tooFewWatches(this.#unwatched.size));
  }

  /** @returns whether it is a directory that can be watched */
  #watch(path: string): boolean {
    try {
      const watch = this.#inotify.add(path === '' ? ROOT : bytesOf(path), MASK);
      if (this.#watches.get(path) !== watch) this.#forget(path);
      this.#watches.set(path, watch);
      this.#paths.set(watch, (this.#paths.get(watch) ?? new Set<string>()).add(path));
      return true;
    } catch (error) {
      const code = systemCode(error);
      // Gone again, or no directory, or one that nobody may read: who captures it sees that for himself.
      if (NOT_WATCHABLE.has(code ?? '')) return false;
      if (code !== 'ENOSPC') throw error;
      this.#unwatched.add(path);
      return true;
    }
  }

  /** What was moved away has another path, if any, and so has what is below it. */
  #unwatchBelow(top: string): void {
    for (const path of this.#watches.keys()) if (path.startsWith(`${top}/`)) this.#unwatch(path);
    this.#unwatch(top);
  }

  #unwatch(path: string): void {
    this.#unwatched.delete(path);
    const watch = this.#forget(path);
    if (watch !== undefined && !this.#paths.has(watch)) this.#inotify.remove(watch);
  }

  #forget(path: string): number | undefined {
    const watch = this.#watches.get(path);
    if (watch === undefined) return undefined;
    this.#watches.delete(path);
    const paths = this.#paths.get(watch);
    paths?.delete(path);
    if (paths?.size === 0) this.#paths.delete(watch);
    return watch;
  }

  #lookAtMounts(): void {
    const mounts = this.#mountsNow();
    if (mounts === this.#mounts) return;
    this.#mounts = mounts;
    this.#loseTrack('a file system was mounted or unmounted');
    this.#read();
  }

  #mountsNow(): string {
    return mountPoints()
      .filter((path) => this.#watched.leadsTo(path) || this.#watched.includes(path))
      .join('\0');
  }
}

const ROOT = Buffer.from('/');
const NOT_WATCHABLE = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG']);

function directoriesIn(path: string): string[] {
  try {
    const entries = readdirSync(path === '' ? ROOT : bytesOf(path), { encoding: 'latin1', withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch (error) {
    if (NOT_WATCHABLE.has(systemCode(error) ?? '')) return [];
    throw error;
  }
}
