import { chmod, chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory, syncOne } from '../../../foundation/directories.ts';
import type { Location } from '../location.ts';
import { standbySettings, withoutFence } from './standby-settings.ts';
import { readIfThere, type StoppedCluster } from './stopped-cluster.ts';

/** A server's own: its port, its memory, who it lets in. What brings it the data of another one brings that one's as well. */
const OWN_FILES = ['postgresql.conf', 'postgresql.auto.conf', 'pg_hba.conf', 'pg_ident.conf'];
const AUTO = 'postgresql.auto.conf';
const [KEPT, PROGRESS] = ['kept', 'progress.json'];

/** How far a reseed is: what is known stays known when it goes on. Positions and sizes are decimal, as JSON has no others. */
export interface ReseedProgress {
  /** `begun`: the data may be half changed. `brought`: they are the new primary's. */
  stage: 'begun' | 'brought';
  divergentBytes: string;
  lsn: string;
  how?: 'rewound' | 'copied';
  /** Where the old data go, once the copy is whole. */
  asideDirectory?: string;
}

const placeOf = (directory: string): string => `${directory}.reseed`;

/** How far a reseed of this directory came that was interrupted; undefined where none was. */
export async function reseedProgress(directory: string): Promise<ReseedProgress | undefined> {
  const text = await readIfThere(join(placeOf(directory), PROGRESS));
  return text && (JSON.parse(text.toString('utf8')) as ReseedProgress);
}

/** Whether a server follows that one once it is started: an earlier reseed came to its end. */
export async function followsAlready(directory: string, to: { from: Location; slot: string }): Promise<boolean> {
  const isStandby = (await readIfThere(join(directory, 'standby.signal'))) !== undefined;
  const own = (await readIfThere(join(directory, AUTO)))?.toString('utf8') ?? '';
  return isStandby && standbySettings(own, to) === own;
}

/** The settings of a server that is reseeded, kept beside its data directory until it has them back. */
export class KeptSettings {
  readonly #cluster: StoppedCluster;
  readonly #place: string;

  private constructor(cluster: StoppedCluster) {
    this.#cluster = cluster;
    this.#place = placeOf(cluster.directory);
  }

  /** Those of a reseed that was interrupted, or else the server's as they are now. */
  static async open(cluster: StoppedCluster): Promise<KeptSettings> {
    const place = placeOf(cluster.directory);
    if ((await readIfThere(join(place, KEPT))) === undefined) await keep(cluster.directory, place);
    return new KeptSettings(cluster);
  }

  /** Returns once it is durable how far the reseed is. */
  async record(progress: ReseedProgress): Promise<void> {
    await writeDurably(join(this.#place, PROGRESS), JSON.stringify(progress), undefined);
  }

  /** A server that recovers alone would be kept out by its own fence. */
  async liftFence(): Promise<void> {
    const path = join(this.#cluster.directory, AUTO);
    const own = await readIfThere(path);
    if (own !== undefined) await writeDurably(path, withoutFence(own.toString('utf8')), this.#cluster.owner);
  }

  /** Gives the server its settings back, and has it follow another one. */
  async putBack(follows: { from: Location; slot: string }): Promise<void> {
    const { directory, owner } = this.#cluster;
    for (const name of OWN_FILES) {
      const own = await readIfThere(join(this.#place, name));
      const text = own?.toString('utf8') ?? '';
      if (name === AUTO) await writeDurably(join(directory, name), standbySettings(text, follows), owner);
      else if (own !== undefined) await writeDurably(join(directory, name), text, owner);
    }
    await writeDurably(join(directory, 'standby.signal'), '', owner);
    await rm(join(directory, 'recovery.signal'), { force: true });
    await syncDirectory(directory);
    // Renamed first: what is half removed must not be taken for settings that were kept.
    await rename(this.#place, `${this.#place}.done`);
    await rm(`${this.#place}.done`, { recursive: true });
    await syncOne(dirname(directory));
  }
}

/** With a last file that says that all of them are there. */
async function keep(directory: string, place: string): Promise<void> {
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { mode: 0o700 });
  for (const name of OWN_FILES) {
    const own = await readIfThere(join(directory, name));
    if (own !== undefined) await writeFile(join(place, name), own, { mode: 0o600 });
  }
  await syncDirectory(place);
  await writeDurably(join(place, KEPT), 'yes', undefined);
}

/** A whole file or none: by another name first, and readable by its owner alone. */
async function writeDurably(path: string, text: string, owner: StoppedCluster['owner']): Promise<void> {
  const fresh = `${path}.new`;
  await writeFile(fresh, text, { mode: 0o600, flush: true });
  await chmod(fresh, 0o600);
  if (owner !== undefined) await chown(fresh, owner.uid, owner.gid);
  await rename(fresh, path);
  await syncOne(dirname(path));
}
