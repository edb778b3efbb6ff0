import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { releaseBuffer } from '../../../foundation/buffers.ts';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { Connection } from '../connection/connection.ts';
import { encodeCommand } from '../connection/resp.ts';

/** What a replica may send before the data; it is a few short commands. */
const LONGEST_TALK_BYTES = 64 * 1024;

/** What is sent to the replica. */
export interface MasterData {
  sizeBytes: number;
  hasFunctions: boolean;
  /** The RDB, in parts that are given away; what is behind a failure in it never reaches the replica. */
  rdb(): AsyncIterable<Uint8Array>;
  /** What comes behind it: commands, as a stream has them. */
  stream?: () => AsyncIterable<Uint8Array>;
}

/** Asks the replica how far it is. */
const GET_ACKNOWLEDGEMENT = encodeCommand(['REPLCONF', 'GETACK', '*']);

/**
 * A master for one replica and one synchronisation: the server that is told to replicate from it, and that knows the id of
 * its own data, gets the RDB. Nobody else gets anything.
 */
export class OneTimeMaster {
  readonly #server: Server;
  readonly #options: { replicationId: string; address: string | undefined; data: MasterData };
  readonly #sent = Promise.withResolvers<void>();
  readonly #asked = Promise.withResolvers<void>();
  readonly #sockets = new Set<Socket>();
  #isTaken = false;
  /** How much of the stream the replica has carried out, and who waits for more. */
  #acknowledged = 0;
  #onAcknowledged = (): void => {};

  private constructor(options: { replicationId: string; address: string | undefined; data: MasterData }) {
    this.#options = options;
    this.#server = createServer((socket) => void this.#welcome(socket));
    this.#sent.promise.catch((error: unknown) => error);
  }

  /**
   * @param connection to the server that will be the replica
   * @param replicationId of the data that it has, by which it is known again
   */
  static async open(connection: Connection, replicationId: string, data: MasterData): Promise<OneTimeMaster> {
    const master = new OneTimeMaster({ replicationId, address: connection.remoteAddress, data });
    const host = connection.localAddress ?? '127.0.0.1';
    await new Promise<void>((resolve, reject) => {
      master.#server.once('error', reject).listen(0, host, resolve);
    });
    return master;
  }

  /** Where the replica finds it. */
  get address(): { host: string; port: number } {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new HoldfastError('internal', 'nobody listens');
    return { host: address.address, port: address.port };
  }

  /** Resolves when the replica has asked for the data. */
  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  /** Resolves when all was sent; rejects with what kept it from being sent. */
  get sent(): Promise<void> {
    return this.#sent.promise;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #welcome(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket
      .on('error', () => socket.destroy())
      .on('close', () => {
        this.#sockets.delete(socket);
        this.#onAcknowledged();
      });
    const { address } = this.#options;
    if (this.#isTaken || (address !== undefined && socket.remoteAddress !== address)) {
      socket.destroy();
      return;
    }
    let talk = '';
    socket.on('data', (bytes: Buffer) => {
      talk += bytes.toString('latin1');
      if (talk.length > LONGEST_TALK_BYTES) socket.destroy();
      talk = this.#answer(socket, talk);
    });
  }

  /** @returns what is no whole command yet */
  #answer(socket: Socket, talk: string): string {
    let rest = talk;
    for (let command = firstCommand(rest); command !== undefined; command = firstCommand(rest)) {
      rest = rest.slice(command.length);
      const [name = '', ...words] = command.words;
      if (this.#isTaken) {
        // A word of ours would stand in the middle of the data: a replica that loads says that it lives, and wants no answer.
        if (name.toUpperCase() === 'REPLCONF' && words[0]?.toUpperCase() === 'ACK') this.#acknowledge(Number(words[1]));
        continue;
      }
      switch (name.toUpperCase()) {
        case 'PING':
          socket.write('+PONG\r\n');
          break;
        case 'PSYNC':
          if (words[0] !== this.#options.replicationId) socket.destroy();
          else this.#send(socket);
          return '';
        case 'SYNC':
          socket.destroy();
          return '';
        default:
          socket.write('+OK\r\n');
      }
    }
    return rest;
  }

  #send(socket: Socket): void {
    this.#isTaken = true;
    this.#asked.resolve();
    this.#transfer(socket).then(this.#sent.resolve, (error: unknown) => {
      socket.destroy();
      this.#sent.reject(error);
    });
  }

  async #transfer(socket: Socket): Promise<void> {
    const { sizeBytes, rdb } = this.#options.data;
    socket.write(`+FULLRESYNC ${randomBytes(20).toString('hex')} 0\r\n$${sizeBytes}\r\n`);
    for await (const bytes of rdb()) {
      if (socket.destroyed) throw gone();
      // Left to the collector, what was sent would be most of the process's memory.
      if (!socket.write(bytes, () => releaseBuffer(bytes))) await drained(socket);
    }
    if (socket.destroyed) throw gone();
    await this.#transferStream(socket);
  }

  /** Resolves once the replica has carried out all of it. */
  async #transferStream(socket: Socket): Promise<void> {
    const { stream } = this.#options.data;
    if (stream === undefined) return;
    let sent = 0;
    for await (const bytes of stream()) {
      if (socket.destroyed) throw gone();
      sent += bytes.length;
      if (!socket.write(bytes)) await drained(socket);
    }
    if (!socket.destroyed) socket.write(GET_ACKNOWLEDGEMENT);
    while (this.#acknowledged < sent) {
      if (socket.destroyed) throw gone();
      await new Promise<void>((resolve) => {
        this.#onAcknowledged = resolve;
      });
    }
  }

  #acknowledge(offset: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, offset);
    this.#onAcknowledged();
  }
}

async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    const go = (): void => {
      socket.off('drain', go).off('close', go);
      resolve();
    };
    socket.on('drain', go).on('close', go);
  });
}

function gone(): HoldfastError {
  return new HoldfastError('target-failed', 'the server that is restored to broke the transfer off', {
    hint: "See in the server's log why; nothing of the backup is there.",
  });
}

/** The first whole command of what a replica sent: a list of strings. */
function firstCommand(talk: string): { words: string[]; length: number } | undefined {
  const head = /^\*(\d{1,3})\r\n/.exec(talk);
  if (head === null) {
    const line = /^([^\r\n]*)\r?\n/.exec(talk);
    return line === null ? undefined : { words: line[1]!.split(' '), length: line[0].length };
  }
  const words: string[] = [];
  let at = head[0].length;
  for (let index = 0; index < Number(head[1]); index++) {
    const length = /^\$(\d{1,5})\r\n/.exec(talk.slice(at, at + 16));
    if (length === null) return undefined;
    const from = at + length[0].length;
    const end = from + Number(length[1]);
    if (end + 2 > talk.length) return undefined;
    words.push(talk.slice(from, end));
    at = end + 2;
  }
  return { words, length: at };
}
