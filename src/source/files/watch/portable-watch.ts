import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import type { AsyncSubscription, Event } from '@parcel/watcher';
import { byteStringOfText } from '../../../format/index.ts';
import { messageOf } from '../../../foundation/errors.ts';
import type { Changes, Watch, WatchContext } from '../../index.ts';
import { everythingAt } from '../changes.ts';
import type { WatchedPaths } from './watched-paths.ts';

/**
 * Watches directories by whatever the system offers, through a library that knows several: for systems without inotify. On
 * Linux it does without: there the library passes over a queue that ran over, and directories that come up with others in
 * them.
 */
export class PortableWatch implements Watch {
  readonly #watched: WatchedPaths;
  readonly #context: WatchContext;
  #changed: Set<string> | 'anywhere' = new Set();
  #subscriptions: AsyncSubscription[] = [];

  private constructor(watched: WatchedPaths, context: WatchContext) {
    this.#watched = watched;
    this.#context = context;
  }

  /** @param paths as the plan has them @throws what the library throws: a path that is not there */
  static async begin(paths: readonly string[], watched: WatchedPaths, context: WatchContext): Promise<PortableWatch> {
    const { default: library } = await import('@parcel/watcher');
    const watch = new PortableWatch(watched, context);
    // A file is watched by its directory, in which another one may take its place.
    const directories = new Set(paths.map((path) => (lstatSync(path).isDirectory() ? path : dirname(path))));
    for (const directory of directories) {
      const heed = (error: Error | null, events: Event[]): void => watch.#heed(error, events);
      watch.#subscriptions.push(await library.subscribe(directory, heed));
    }
    return watch;
  }

  /** It is not told what such a system leaves out. */
  get isIncomplete(): boolean {
    return false;
  }

  take(): Changes {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  async close(): Promise<void> {
    for (const subscription of this.#subscriptions) await subscription.unsubscribe();
    this.#subscriptions = [];
  }

  #heed(error: Error | null, events: readonly Event[]): void {
    if (error !== null) {
      this.#context.note(`${messageOf(error)}: everything is looked at again`);
      this.#changed = 'anywhere';
    }
    for (const { path, type } of events) {
      const place = byteStringOfText(path);
      if (!this.#watched.includes(place) || this.#changed === 'anywhere') continue;
      this.#changed.add(type === 'update' ? place : everythingAt(place));
    }
    if (this.#changed === 'anywhere' || this.#changed.size > 0) this.#context.onChange();
  }
}
