import { awaitedLater } from '../../../foundation/promises.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import type { RestoreContext, Restored } from '../../index.ts';
import type { Connection } from '../connection/connection.ts';
import { refusal } from '../connection/failures.ts';
import { encodeCommand, type Reply, ReplyError, type Word } from '../connection/resp.ts';
import type { RedisDetails } from '../details.ts';
import { type KeyMatcher, shownKey } from '../key-pattern.ts';
import { sealPayload } from '../rdb/payload.ts';
import type { RdbEntry } from '../rdb/reader.ts';
import { readRdb } from '../rdb-file.ts';
import { digestOf, otherKeys, type TakenKey } from './same-keys.ts';

/** The longest value that is restored so: it is in memory, some times over. */
const LONGEST_VALUE_BYTES = 48 * 1024 * 1024;
/** As many keys are named that could not be restored. */
const NAMED_PROBLEMS = 1000;
/** As many answers may be due. */
const UNDERWAY = 4096;

/** Restores key by key: what server there is, and which of the keys are wanted. */
export class KeyRestore {
  readonly #connection: Connection;
  readonly #details: RedisDetails;
  readonly #isWanted: KeyMatcher | undefined;
  readonly #problems: Restored['problems'] = [];
  readonly #waiting: Promise<void>[] = [];
  #taken: TakenKey[] = [];
  #database = 0;
  #refused: ReplyError | undefined;
  #items = 0;
  #bytes = 0;

  constructor(connection: Connection, details: RedisDetails, isWanted: KeyMatcher | undefined) {
    this.#connection = connection;
    this.#details = details;
    this.#isWanted = isWanted;
    this.#database = connection.location.database;
  }

  /** The RDB must have been verified. @throws target-failed, also where the server takes no key at all; repository-damaged */
  async run(reader: SnapshotReader, { progress, signal }: RestoreContext): Promise<Omit<Restored, 'notes'>> {
    const isWhole = this.#isWanted === undefined;
    await readRdb(
      reader,
      {
        signal,
        valueLimitBytes: LONGEST_VALUE_BYTES,
        onKey: (entry) => this.#key(entry),
        ...(isWhole && { onFunction: (library) => this.#function(library) }),
      },
      async (bytes) => {
        progress.advance({ bytes: bytes.length });
        await this.#connection.drained();
        if (this.#waiting.length > UNDERWAY) await this.#answers();
      },
    );
    await this.#answers();
    if (this.#items === 0 && this.#refused !== undefined) {
      throw refusal(this.#refused, this.#connection.location, 'target', 'restore any key');
    }
    return { bytes: this.#bytes, items: this.#items, problems: this.#problems };
  }

  #key(entry: RdbEntry): void {
    const { database, key, value, expiresMs } = entry;
    if (this.#isWanted?.(key) === false) return;
    const name = `${database}:${shownKey(key)}`;
    if (value === undefined) {
      this.#failed(name, `longer than ${LONGEST_VALUE_BYTES} bytes, which is too long to be restored by itself`);
      return;
    }
    if (database !== this.#database) {
      this.#database = database;
      this.#send(`database ${database}`, ['SELECT', database]);
    }
    const payload = sealPayload({ value, version: this.#details.rdbVersion });
    const time = expiresMs === undefined ? [0] : [expiresMs, 'ABSTTL'];
    const [at, ...more] = time;
    const taken = { name, database, key: Buffer.from(key), digest: digestOf(entry) };
    const words = ['RESTORE', key, at!, payload, ...more];
    this.#send(name, words, (reply) => this.#judgeKey(taken, reply, payload.length));
  }

  #function(library: Buffer): void {
    const payload = sealPayload({ value: library, version: this.#details.rdbVersion });
    this.#send('a library of functions', ['FUNCTION', 'RESTORE', payload]);
  }

  #send(name: string, words: Word[], judge: (reply: Reply) => void = (reply) => this.#judge(name, reply)): void {
    const answered = this.#connection.send('restore keys', encodeCommand(words)).then(judge);
    // It may fail while the next part is read, or after that has failed.
    this.#waiting.push(awaitedLater(answered));
  }

  #judge(name: string, reply: Reply): void {
    if (reply instanceof ReplyError) this.#refusedBy(name, reply);
  }

  #judgeKey(taken: TakenKey, reply: Reply, bytes: number): void {
    if (reply instanceof ReplyError && reply.kind === 'BUSYKEY') this.#taken.push(taken);
    else if (reply instanceof ReplyError) this.#refusedBy(taken.name, reply);
    else {
      this.#items++;
      this.#bytes += bytes;
    }
  }

  /** What is there just as the backup has it is restored: a run before this one was killed, or nothing has changed in it. */
  async #judgeTaken(): Promise<void> {
    if (this.#taken.length === 0) return;
    const taken = this.#taken;
    this.#taken = [];
    const others = await otherKeys(this.#connection, taken);
    this.#items += taken.length - others.length;
    for (const { name } of others) this.#failed(name, 'is there already, and was left alone');
    await this.#connection.call('choose a database', ['SELECT', this.#database]);
  }

  #refusedBy(path: string, reply: ReplyError): void {
    this.#refused ??= reply;
    this.#failed(path, reply.message);
  }

  #failed(path: string, message: string): void {
    if (this.#problems.length < NAMED_PROBLEMS) this.#problems.push({ path, message });
  }

  async #answers(): Promise<void> {
    // All have been answered, or never will be, before a failure goes on.
    const results = await Promise.allSettled(this.#waiting.splice(0));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    await this.#judgeTaken();
  }
}
