/**
 * A Firestore server in memory: the data interface over gRPC, with every version of every document. It refuses what the
 * real one refuses, and whatever is not a part of it. The other files `firestore-server-*.ts` have the rules.
 *
 * Source: the comments of `google.firestore.v1`, and Google Cloud, "Firestore: usage and limits", "Point-in-time recovery
 * overview", "Understand reads and writes at scale", "Pricing".
 */

import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { FirestoreAdmin } from './firestore-server-admin.ts';
import { dataService } from './firestore-server-data.ts';
import { FirestoreDatabase } from './firestore-server-database.ts';
import { databaseNameOf, invalid, Refusal } from './firestore-server-names.ts';
import { loadService, type Method, type Methods } from './firestore-server-protos.ts';
import type { FirestoreServerOptions, ServerState } from './firestore-server-state.ts';

/** What goes wrong on purpose, the next `times` times. */
export interface Fault {
  /** `RunQuery` … */
  method: string;
  /** OK ends a stream as if that were all. */
  code: status;
  details?: string;
  /** Of what streams: as many documents are sent before. */
  afterDocuments?: number;
  /** Of what streams: only the first two documents change places. */
  isSwapped?: boolean;
  times: number;
}

const REQUEST_LIMIT_BYTES = 10 * 1024 * 1024;
const SIZE = Symbol('size in bytes');

export class FirestoreServer implements ServerState {
  readonly options: Required<FirestoreServerOptions>;
  readonly databases = new Map<string, FirestoreDatabase>();
  readonly faults: Fault[] = [];
  readonly admin: FirestoreAdmin;
  /** How often each method was called. */
  readonly calls = new Map<string, number>();
  /** Methods that the caller has no permission for. */
  readonly denied = new Set<string>();
  /** `127.0.0.1:PORT`, once it listens. */
  host = '';

  readonly #server = new Server({ 'grpc.max_receive_message_length': 64 * 1024 * 1024 });
  #offsetMs = 0;

  constructor(options: FirestoreServerOptions) {
    this.options = { kindlessPartitions: false, kindlessQueries: true, documentsPerPartition: 100, ...options };
    for (const name of options.databases) this.createDatabase(name);
    this.addService(loadService('v1', 'google.firestore.v1.Firestore'), dataService(this));
    this.admin = new FirestoreAdmin(this);
  }

  readonly nowMicros = (): number => Math.floor((Date.now() + this.#offsetMs) * 1000);

  /** Lets time pass at once, on the server alone. */
  advance(milliseconds: number): void {
    this.#offsetMs += milliseconds;
  }

  createDatabase(name: string): FirestoreDatabase {
    const database = new FirestoreDatabase(name, this.nowMicros);
    this.databases.set(name, database);
    return database;
  }

  /** @throws Refusal where there is no such database */
  databaseOf(resource: string): FirestoreDatabase {
    const name = databaseNameOf(resource);
    const database = this.databases.get(name);
    if (database !== undefined) return database;
    const [, project, , id] = name.split('/');
    throw new Refusal(status.NOT_FOUND, `The database ${id} does not exist for project ${project}`);
  }

  /** The sum over all databases of what was charged for. */
  get charged(): { reads: number; writes: number; deletes: number } {
    const all = [...this.databases.values()];
    const sum = (key: 'reads' | 'writes' | 'deletes'): number => all.reduce((total, each) => total + each[key], 0);
    return { reads: sum('reads'), writes: sum('writes'), deletes: sum('deletes') };
  }

  /**
   * Adds a service whose methods answer by return value: one message, or a generator of them where the method streams.
   * A stream's messages are what the definition's serializer takes, or already encoded.
   */
  addService(definition: ServiceDefinition, methods: Methods): void {
    const measured = Object.fromEntries(
      Object.entries(definition).map(([name, method]) => [
        name,
        {
          ...method,
          requestDeserialize: (bytes: Buffer) =>
            Object.assign(method.requestDeserialize(bytes), { [SIZE]: bytes.length }),
          responseSerialize: (message: unknown) =>
            Buffer.isBuffer(message) ? message : method.responseSerialize(message as object),
        },
      ]),
    ) as ServiceDefinition;
    const handlers: UntypedServiceImplementation = {};
    for (const [name, method] of Object.entries(methods)) {
      handlers[name] = definition[name]!.responseStream ? this.#streaming(name, method) : this.#unary(name, method);
    }
    this.#server.addService(measured, handlers);
  }

  async listen(): Promise<this> {
    const port = await new Promise<number>((resolve, reject) =>
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    this.host = `127.0.0.1:${port}`;
    return this;
  }

  close(): void {
    this.#server.forceShutdown();
  }

  #unary(name: string, method: Method): handleUnaryCall<object, unknown> {
    return (call, callback) => {
      Promise.resolve()
        .then(() => {
          const fault = this.#begin(name, call);
          if (fault !== undefined) throw new Refusal(fault.code, fault.details ?? 'broken on purpose');
          return method(call.request);
        })
        .then(
          (result) => callback(null, result),
          (error: unknown) => callback(asRefusal(error)),
        );
    };
  }

  #streaming(name: string, method: Method): handleServerStreamingCall<object, unknown> {
    return (call) => {
      this.#stream(name, method, call).then(
        () => call.end(),
        (error: unknown) => call.emit('error', asRefusal(error)),
      );
    };
  }

  async #stream(name: string, method: Method, call: ServerWritableStream<object, unknown>): Promise<void> {
    const fault = this.#begin(name, call);
    let sent = 0;
    const isOver = (): boolean => {
      const isBroken = fault !== undefined && !fault.isSwapped && sent >= (fault.afterDocuments ?? 0);
      if (isBroken && fault.code !== status.OK) {
        throw new Refusal(fault.code, fault.details ?? 'broken on purpose');
      }
      return isBroken;
    };
    if (isOver()) return;
    const messages = (await method(call.request)) as Iterable<unknown>;
    for (const message of fault?.isSwapped ? swapped(messages) : messages) {
      if (call.cancelled) return;
      if (!call.write(message)) await drained(call);
      sent++;
      if (isOver()) return;
    }
    if (fault !== undefined && !fault.isSwapped) this.faults.unshift({ ...fault, times: 1 });
  }

  #begin(
    name: string,
    call: ServerUnaryCall<object, unknown> | ServerWritableStream<object, unknown>,
  ): Fault | undefined {
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
    if (this.denied.has(name)) {
      throw new Refusal(status.PERMISSION_DENIED, 'Missing or insufficient permissions.');
    }
    const sizeBytes = (call.request as { [SIZE]?: number })[SIZE] ?? 0;
    if (sizeBytes > REQUEST_LIMIT_BYTES) {
      throw invalid(`Request payload size exceeds the limit: ${REQUEST_LIMIT_BYTES} bytes.`);
    }
    const fault = this.faults.find(({ method, times }) => method === name && times > 0);
    if (fault !== undefined && --fault.times === 0) this.faults.splice(this.faults.indexOf(fault), 1);
    return fault;
  }
}

function asRefusal(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal(status.INTERNAL, String((error as Error)?.stack ?? error));
}

function swapped(messages: Iterable<unknown>): unknown[] {
  const [first, second, ...others] = messages;
  return [second, first, ...others];
}

async function drained(call: ServerWritableStream<object, unknown>): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      call.off('drain', done).off('cancelled', done).off('close', done);
      resolve();
    };
    call.on('drain', done).on('cancelled', done).on('close', done);
  });
}

export async function startFirestoreServer(options: FirestoreServerOptions): Promise<FirestoreServer> {
  return new FirestoreServer(options).listen();
}
