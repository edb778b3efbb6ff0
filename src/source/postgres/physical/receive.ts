import { CRC32C_START, crc32cText, updateCrc32c } from '../../../foundation/crc32c.ts';
import { awaitedLater } from '../../../foundation/promises.ts';
import type { FileStream, SnapshotWriter } from '../../../repository/index.ts';
import type { CaptureContext } from '../../index.ts';
import type { StoredContent } from './backup-manifest.ts';
import type { BackupReceiver, BackupStart, Tablespace } from './base-backup.ts';
import type { BrokenPages } from './broken-pages.ts';
import { type Attributes, DataTree } from './data-tree.ts';
import { type PageFormat, PageVerifier } from './page-verifier.ts';
import { relationSegment } from './relation-file.ts';
import { damaged, type TarEntry } from './tar-header.ts';
import { TarReader } from './tar-reader.ts';

/** A manifest has about 150 bytes for each file. */
const MANIFEST_LIMIT_BYTES = 512 * 1024 * 1024;
const CONTROL_FILE = 'global/pg_control';
/**
 * What makes a server follow another one, or recover: it comes along from a standby. A cluster that was restored would reach
 * for the living primary by it.
 */
export const SIGNAL_FILES: ReadonlySet<string> = new Set(['standby.signal', 'recovery.signal']);

export interface ReceiveOptions {
  writer: SnapshotWriter;
  context: Pick<CaptureContext, 'clock' | 'progress'>;
  /** Permissions of the data directory itself, which is in no archive. */
  directoryMode: number;
  /** Undefined for a cluster without checksums. */
  pages: PageFormat | undefined;
  /** At which size the files of relations are cut. */
  cutBytes: (clusterBytes: number) => number;
}

interface FileUnderWay {
  entry: TarEntry;
  /** In the data directory, by way of `pg_tblspc` where it lies in a tablespace. */
  path: string;
  stream: FileStream;
  crc: number;
  sizeBytes: number;
  verifier: PageVerifier | undefined;
}

/** Stores what the server sends of a cluster: every file as it comes, its checksum and its pages verified on the way. */
export class ClusterReceiver implements BackupReceiver {
  readonly broken: BrokenPages[] = [];
  /** By path in the data directory. */
  readonly stored = new Map<string, StoredContent>();
  bytes = 0;
  cutBytes = 0;
  /** When the server's control file came: all that was committed before is in the backup, since it stops later. */
  controlFileMs: number | undefined;
  readonly #options: ReceiveOptions;
  #start: BackupStart | undefined;
  #data: DataTree | undefined;
  readonly #spaces = new Map<string, DataTree>();
  #tar: TarReader | undefined;
  #oid: string | undefined;
  #file: FileUnderWay | undefined;
  readonly #manifest: Buffer[] = [];
  #manifestBytes = 0;
  #isManifest = false;

  constructor(options: ReceiveOptions) {
    this.#options = options;
  }

  get startedAt(): BackupStart {
    if (this.#start === undefined) throw damaged('it never began');
    return this.#start;
  }

  /** Those that lie outside of the data directory. */
  get tablespaces(): Tablespace[] {
    return this.startedAt.tablespaces.filter(({ path }) => path.startsWith('/'));
  }

  start(start: BackupStart): void {
    this.#start = start;
    this.cutBytes = this.#options.cutBytes(start.bytes);
    this.#options.context.progress.phase('receiving the cluster', { bytes: start.bytes });
  }

  archive(oid: string | undefined): void {
    this.#tar?.finish();
    if (oid !== undefined && !this.startedAt.tablespaces.some((each) => each.oid === oid)) {
      throw damaged(`it has an archive of the tablespace ${oid}, which it did not name`);
    }
    this.#oid = oid;
    this.#tar = new TarReader({
      begin: (entry) => this.#begin(entry),
      content: (bytes) => this.#content(bytes),
      end: () => this.#end(),
    });
  }

  manifest(): void {
    this.#tar?.finish();
    this.#isManifest = true;
  }

  async content(bytes: Buffer): Promise<void> {
    if (this.#isManifest) {
      this.#manifest.push(Buffer.from(bytes));
      this.#manifestBytes += bytes.length;
      if (this.#manifestBytes > MANIFEST_LIMIT_BYTES) throw damaged('its manifest is larger than any can be');
      return;
    }
    if (this.#tar === undefined) throw damaged('it has content before an archive begins');
    await this.#tar.take(bytes);
    this.#options.context.progress.advance({ bytes: bytes.length });
  }

  /** The server's manifest, as it was sent. */
  get manifestText(): string {
    return Buffer.concat(this.#manifest).toString('utf8');
  }

  /** The tree of the data directory. @throws archive-damaged when what makes it one has not come */
  get data(): DataTree {
    if (this.#data === undefined || !this.stored.has(CONTROL_FILE) || !this.stored.has('backup_label')) {
      throw damaged('it has no pg_control or no backup_label');
    }
    return this.#data;
  }

  /** The trees of the tablespaces, by oid. */
  get spaces(): ReadonlyMap<string, DataTree> {
    return this.#spaces;
  }

  /** Gives up the file under way, after a failure. */
  abort(): void {
    this.#file?.stream.abort();
    this.#file = undefined;
  }

  async #begin(entry: TarEntry): Promise<void> {
    const path = this.#oid === undefined ? entry.path : `pg_tblspc/${this.#oid}/${entry.path}`;
    const { tree, inTree } = this.#treeFor(entry);
    if (entry.type === 'directory') tree.addDirectory(inTree, entry);
    else if (entry.type === 'symlink') this.#addLink(tree, entry);
    else await this.#beginFile(entry, path);
  }

  async #beginFile(entry: TarEntry, path: string): Promise<void> {
    const { writer, pages } = this.#options;
    const segment = relationSegment(path);
    const stream = await writer.openFile(segment === undefined ? 'content' : this.cutBytes);
    const verifier =
      segment === undefined || pages === undefined ? undefined : new PageVerifier(pages, segment, this.startedAt.lsn);
    this.#file = { entry, path, stream, crc: CRC32C_START, sizeBytes: 0, verifier };
  }

  async #content(bytes: Buffer): Promise<void> {
    const file = this.#file!;
    file.crc = updateCrc32c(file.crc, bytes);
    file.verifier?.take(bytes);
    file.sizeBytes += bytes.length;
    await file.stream.write(bytes);
  }

  async #end(): Promise<void> {
    const { entry, path, stream, crc, sizeBytes, verifier } = this.#file!;
    this.#file = undefined;
    const { tree, inTree } = this.#treeFor(entry);
    // Not awaited: while its last bytes are sealed, the next file comes.
    const content = awaitedLater(stream.end());
    if (!SIGNAL_FILES.has(path)) tree.addFile(inTree, entry, content);
    this.stored.set(path, { sizeBytes, crc32c: crc32cText(crc) });
    this.bytes += sizeBytes;
    if (path === CONTROL_FILE) this.controlFileMs = this.#options.context.clock.nowMs();
    if (verifier !== undefined && verifier.brokenCount > 0) {
      this.broken.push({ path, blocks: verifier.brokenBlocks, count: verifier.brokenCount });
    }
  }

  /** Where an entry of the present archive belongs. */
  #treeFor(entry: TarEntry): { tree: DataTree; inTree: string } {
    this.#data ??= new DataTree('data', { ...entry, mode: this.#options.directoryMode });
    const space = this.startedAt.tablespaces.find(({ oid }) => oid === this.#oid);
    if (space === undefined) return { tree: this.#data, inTree: entry.path };
    if (!space.path.startsWith('/')) return { tree: this.#data, inTree: `pg_tblspc/${space.oid}/${entry.path}` };
    let tree = this.#spaces.get(space.oid);
    if (tree === undefined) {
      tree = new DataTree(space.oid, { ...entry, mode: this.#options.directoryMode });
      this.#spaces.set(space.oid, tree);
    }
    return { tree, inTree: entry.path };
  }

  /** The links of tablespaces lead beside `/data`, so that what stock restic restores is a cluster that starts. */
  #addLink(tree: DataTree, entry: TarEntry & Attributes): void {
    const oid = /^pg_tblspc\/(\d+)$/.exec(entry.path)?.[1];
    if (oid === undefined || !this.tablespaces.some((each) => each.oid === oid)) {
      throw damaged('it has a link that is none of a tablespace', entry.path);
    }
    tree.addLink(entry.path, `../../tablespaces/${oid}`, entry);
  }
}
