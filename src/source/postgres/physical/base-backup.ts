import type pg from 'pg';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { Session } from '../session.ts';
import { type PassOn, takeOver } from '../take-over.ts';
import { type Lsn, parseLsn } from './lsn.ts';
import { MessageSplitter, type Piece } from './message-splitter.ts';
import { damaged } from './tar-header.ts';

/** A tablespace other than the two that every cluster has in its data directory. */
export interface Tablespace {
  oid: string;
  /** On the server; relative when it lies in the data directory. */
  path: string;
}

export interface BackupStart {
  lsn: Lsn;
  lsnText: string;
  timeline: number;
  tablespaces: Tablespace[];
  /** As the server estimates it, of all files. */
  bytes: number;
}

export interface BackupStop {
  lsnText: string;
  timeline: number;
}

/** Takes what the server sends, in its order. Bytes are valid until the promise resolves. */
export interface BackupReceiver {
  start(start: BackupStart): void;
  /** An archive begins: of a tablespace, by its oid, or of the data directory, which comes last. */
  archive(oid: string | undefined): void;
  content(bytes: Buffer): Promise<void>;
  /** The manifest begins: what comes from now on is it. */
  manifest(): void;
}

/** No checks of pages by the server: they are made here, where a broken page is named and does not end the backup. */
const COMMAND = `BASE_BACKUP (LABEL 'holdfast', PROGRESS true, CHECKPOINT 'fast', WAL true, WAIT false,
  MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C', VERIFY_CHECKSUMS false)`;

const [NEW_ARCHIVE, MANIFEST, DATA, PROGRESS] = [0x6e, 0x6d, 0x64, 0x70];
/** A name and a path, each shorter than any system's longest. */
const LIMIT_OF_SMALL_MESSAGES_BYTES = 16_384;

/**
 * Runs BASE_BACKUP, and gives what the server sends as it comes. The socket is read here and not by pg; while the receiver
 * works it is paused, which is the back-pressure.
 * Source: PostgreSQL's documentation, "Streaming Replication Protocol", BASE_BACKUP, as of version 15.
 * @param session a replication connection
 */
export function runBaseBackup(session: Session, receiver: BackupReceiver): Promise<BackupStop> {
  return session.run('back up the cluster', async () => {
    const query = new BaseBackupQuery(receiver);
    session.client.query(query);
    return query.finished;
  });
}

/** What pg calls on the query that is under way. */
class BaseBackupQuery implements pg.Submittable {
  readonly #receiver: BackupReceiver;
  readonly #outcome = Promise.withResolvers<BackupStop>();
  readonly finished = this.#outcome.promise;
  /** The rows of each result: where it starts, the tablespaces, and behind the copy where it stops. */
  readonly #results: (string | null)[][][] = [];
  #isStarted = false;
  /** What the present message of the copy is, once its first byte was seen. */
  #kind = 0;
  #small: Buffer[] = [];
  #detach: () => void = () => {};

  constructor(receiver: BackupReceiver) {
    this.#receiver = receiver;
  }

  submit(connection: pg.Connection): void {
    const splitter = new MessageSplitter();
    const detach = takeOver(
      connection,
      (chunk, pass) => this.#take(splitter.split(chunk), pass),
      (error) => this.#outcome.reject(error),
    );
    this.#detach = () => {
      this.#detach = () => {};
      detach();
    };
    connection.query(COMMAND);
  }

  handleRowDescription(): void {
    this.#results.push([]);
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.#results.at(-1)?.push(message.fields.map((field) => (field === null ? null : String(field))));
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    const [lsn, timeline] = this.#results[2]?.[0] ?? [];
    if (lsn == null) this.#outcome.reject(damaged('it does not say where the backup stops'));
    else this.#outcome.resolve({ lsnText: lsn, timeline: Number(timeline) });
  }

  /** By the server's error, or by a connection that is lost. */
  handleError(error: Error): void {
    this.#detach();
    this.#outcome.reject(error);
  }

  async #take(pieces: Iterable<Piece>, pass: PassOn): Promise<void> {
    for (const piece of pieces) {
      if (piece.kind === 'data') await this.#data(piece);
      else {
        if (piece.kind === 'rest') this.#detach();
        pass(piece.bytes);
      }
    }
  }

  async #data({ isStart, isEnd, bytes }: Piece & { kind: 'data' }): Promise<void> {
    let rest = bytes;
    if (isStart) {
      this.#begin();
      this.#kind = 0;
    }
    if (this.#kind === 0 && rest.length > 0) {
      this.#kind = rest[0]!;
      rest = rest.subarray(1);
    }
    if (this.#kind === DATA) {
      if (rest.length > 0) await this.#receiver.content(rest);
      return;
    }
    this.#small.push(Buffer.from(rest));
    if (this.#small.reduce((sum, { length }) => sum + length, 0) > LIMIT_OF_SMALL_MESSAGES_BYTES) {
      throw damaged('a message that should be short is not');
    }
    if (isEnd) this.#endSmall();
  }

  #endSmall(): void {
    const body = Buffer.concat(this.#small);
    this.#small = [];
    if (this.#kind === NEW_ARCHIVE) this.#receiver.archive(oidOf(body.toString('latin1', 0, body.indexOf(0))));
    else if (this.#kind === MANIFEST) this.#receiver.manifest();
    else if (this.#kind !== PROGRESS) {
      throw new HoldfastError(
        'source-unsupported',
        'the server sent a kind of message that this version does not know',
      );
    }
  }

  /** Both results are there when the first message of the copy comes. */
  #begin(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const [lsnText, timeline] = this.#results[0]?.[0] ?? [];
    const spaces = this.#results[1] ?? [];
    this.#receiver.start({
      lsn: parseLsn(lsnText),
      lsnText: lsnText!,
      timeline: Number(timeline),
      tablespaces: spaces.flatMap(([oid, path]) => (oid === null || oid === undefined ? [] : [tablespace(oid, path)])),
      bytes: spaces.reduce((sum, [, , kilobytes]) => sum + Number(kilobytes ?? 0) * 1024, 0),
    });
  }
}

function tablespace(oid: string, path: string | null | undefined): Tablespace {
  if (/^\d+$/.test(oid)) return { oid, path: path ?? '' };
  throw damaged('it names a tablespace by something that is no number');
}

/** `base.tar`, or `16384.tar` of a tablespace. */
function oidOf(name: string): string | undefined {
  if (name === 'base.tar') return undefined;
  const oid = /^(\d+)\.tar$/.exec(name)?.[1];
  if (oid !== undefined) return oid;
  throw damaged('an archive has a name that it should not have');
}
