import pg from 'pg';
import { settled } from '../../foundation/promises.ts';
import { connectFailure, type Side, workFailure } from './failures.ts';
import { isSocket, type Location } from './location.ts';
import { sqlFile } from './sql-files.ts';
import { tlsOptions } from './tls.ts';

/** A row as the server writes it: every value its text. */
export type Row = Record<string, string | null>;

export interface SessionOptions {
  side: Side;
  signal: AbortSignal;
  /** `fixed` sets what pg_dump sets, `plain` leaves the session as an application finds it. */
  settings?: 'fixed' | 'plain';
  /** A connection for the replication protocol, which knows no SQL; its settings are `plain`. */
  replication?: boolean;
}

const CONNECT_TIMEOUT_MS = 15_000;
const KEEPALIVE_DELAY_MS = 10_000;
const GOODBYE_TIMEOUT_MS = 2000;

/** One connection to a server. Its errors are HoldfastErrors; the signal cuts it off. */
export class Session {
  readonly location: Location;
  readonly client: pg.Client;
  readonly #options: SessionOptions;
  /** Why the connection is of no use any more. */
  #broken: unknown;
  readonly #onAbort: () => void;

  private constructor(location: Location, client: pg.Client, options: SessionOptions) {
    this.location = location;
    this.client = client;
    this.#options = options;
    // Between queries nobody else would hear of a lost connection, and the process would end by it.
    client.on('error', (error) => {
      this.#broken ??= error;
    });
    this.#onAbort = () => this.destroy();
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** @throws source-unreachable, source-refused; target-failed on the other side; plan-invalid */
  static async open(location: Location, options: SessionOptions): Promise<Session> {
    options.signal.throwIfAborted();
    const client = await connect(location, options);
    const session = new Session(location, client, options);
    if (options.settings !== 'plain') {
      try {
        await session.query('set up the session', sqlFile('session-settings'));
      } catch (error) {
        session.destroy();
        throw error;
      }
    }
    return session;
  }

  /**
   * @param doing completes "could not …" when it fails
   * @throws source-lost, source-refused, timed-out; target-failed on the other side; the reason of the signal
   */
  async query(doing: string, sql: string, values?: readonly (string | number | null)[]): Promise<Row[]> {
    return this.run(doing, async () => {
      const result = await this.client.query({
        text: sql,
        types: { getTypeParser: () => (value: unknown) => value },
        ...(values === undefined ? {} : { values: [...values] }),
      });
      return (Array.isArray(result) ? result.at(-1).rows : result.rows) as Row[];
    });
  }

  /** The rows of one single statement, as lists: columns may share a name, and no second statement can end a transaction. */
  async values(doing: string, sql: string): Promise<(string | null)[][]> {
    return this.run(doing, async () => {
      const types = { getTypeParser: () => (value: unknown) => value };
      // The name makes it a prepared statement, which is one and no more.
      const result = await this.client.query({ name: 'values', text: sql, rowMode: 'array', types });
      return result.rows as (string | null)[][];
    });
  }

  /** The one row of a query. */
  async one(doing: string, sql: string, values?: readonly (string | number | null)[]): Promise<Row> {
    const [row] = await this.query(doing, sql, values);
    return row ?? {};
  }

  /** Does something with the client, and says its errors as what they mean. */
  async run<T>(doing: string, work: () => Promise<T>): Promise<T> {
    this.#options.signal.throwIfAborted();
    try {
      if (this.#broken !== undefined) throw this.#broken;
      return await work();
    } catch (error) {
      this.#options.signal.throwIfAborted();
      throw workFailure(error, this.location, this.#options.side, doing);
    }
  }

  /** Says goodbye to the server; never throws. */
  async close(): Promise<void> {
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    const timer = setTimeout(() => this.destroy(), GOODBYE_TIMEOUT_MS);
    // A connection that is already gone needs no goodbye, and whatever broke it was told when it was last used.
    await settled(this.client.end());
    clearTimeout(timer);
  }

  /** Cuts the connection at once. */
  destroy(): void {
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    connectionOf(this.client).stream.destroy();
  }
}

/** pg's connection underneath a client, which its types leave out. */
export function connectionOf(client: pg.Client): pg.Connection {
  return (client as unknown as { connection: pg.Connection }).connection;
}

async function connect(location: Location, options: SessionOptions): Promise<pg.Client> {
  const mode = location.parameters.get('sslmode') ?? 'prefer';
  const modes = isSocket(location.host) || mode === 'disable' ? ['disable'] : withFallback(mode);
  for (const each of modes) {
    const client = new pg.Client({ ...(await clientOptions(location, each)), ...replicationOption(options) });
    const stop = () => connectionOf(client).stream.destroy();
    options.signal.addEventListener('abort', stop, { once: true });
    client.on('error', () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      stop();
      options.signal.throwIfAborted();
      if (each === modes.at(-1) || !mayFallBack(error)) throw connectFailure(error, location, options.side);
    } finally {
      options.signal.removeEventListener('abort', stop);
    }
  }
  throw connectFailure(new Error('no way to connect'), location, options.side);
}

/** libpq's meaning of `prefer` and `allow`: the other way is tried where the first is not offered. */
function withFallback(mode: string): string[] {
  if (mode === 'prefer') return ['require', 'disable'];
  if (mode === 'allow') return ['disable', 'require'];
  return [mode];
}

function mayFallBack(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return code === '28000' || /does not support SSL/.test(message ?? '');
}

/** pg passes it on to the server; its types leave it out. */
function replicationOption({ replication = false }: SessionOptions): pg.ClientConfig {
  return replication ? ({ replication: 'true' } as pg.ClientConfig) : {};
}

async function clientOptions(location: Location, sslMode: string): Promise<pg.ClientConfig> {
  const timeoutSeconds = Number(location.parameters.get('connect_timeout') ?? 0);
  const common: pg.ClientConfig = {
    host: location.host,
    port: location.port,
    user: location.user,
    database: location.database,
    application_name: location.application ?? 'holdfast',
    connectionTimeoutMillis: timeoutSeconds > 0 ? timeoutSeconds * 1000 : CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
    ...(location.password === undefined ? {} : { password: location.password }),
    ...(location.parameters.has('options') ? { options: location.parameters.get('options')! } : {}),
  };
  return sslMode === 'disable' ? { ...common, ssl: false } : { ...common, ssl: await tlsOptions(location, sslMode) };
}
