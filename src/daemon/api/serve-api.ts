import { messageOf } from '../../foundation/errors.ts';
import { openTokens, TokenCheck } from '../../operations/index.ts';
import type { Daemon } from '../daemon.ts';
import type { Duty, MakeDuties } from '../duty.ts';
import type { Log } from '../log.ts';
import { handleOf, type LoadedPlans } from './daemon-handle.ts';
import { assertProtected, DEFAULT_LISTEN, parseListenAddress } from './listen-address.ts';
import { type ApiOptions, type ListeningApi, listenForApi, type RunningApi } from './start.ts';

/** How the API is to be served, as a person says it. */
export interface ApiSettings {
  /** `HOST:PORT`. */
  listen?: string;
  tlsCert?: string;
  tlsKey?: string;
  insecure: boolean;
  /** Where people reach it: links in alerts lead there. There are none without it. */
  publicUrl?: string;
}

/** @throws bad-usage */
function apiOptionsOf({ listen = DEFAULT_LISTEN, tlsCert, tlsKey, insecure }: ApiSettings): ApiOptions {
  const address = parseListenAddress(listen);
  const isWhole = tlsCert !== undefined && tlsKey !== undefined;
  assertProtected(address, { hasTls: isWhole, insecure });
  return { address, insecure, ...(isWhole && { tls: { certPath: tlsCert, keyPath: tlsKey } }) };
}

/** The API beside a daemon, which is there before it is. */
export class ApiBeside {
  readonly #settings: ApiSettings;
  readonly #options: ApiOptions;
  readonly #log: Log;
  #listening: ListeningApi | undefined;
  #running: RunningApi | undefined;

  /** @throws bad-usage */
  constructor(settings: ApiSettings, log: Log) {
    this.#settings = settings;
    this.#options = apiOptionsOf(settings);
    this.#log = log;
  }

  /** Duties that know where people reach the API. */
  readonly linked = (make: MakeDuties): MakeDuties => {
    const { publicUrl } = this.#settings;
    return (context) => make({ ...context, ...(publicUrl !== undefined && { publicUrl }) });
  };

  /** What has the ledger told of calls when the hour is over. */
  readonly duty: Duty = {
    name: 'calls',
    nextMs: () => this.#running?.nextCallsMs() ?? Number.POSITIVE_INFINITY,
    run: async () => this.#running?.writeCalls(),
  };

  /** Answers that the daemon waits, until it is there. @throws as `listenForApi` */
  async listen(version: string): Promise<void> {
    if (this.#listening !== undefined) return;
    this.#listening = await listenForApi(this.#options, version);
    this.#log.info('API listening', { url: this.#listening.url });
  }

  /** @throws as `listenForApi` */
  async start(daemon: Daemon, plans: LoadedPlans, holdsLease: () => boolean): Promise<void> {
    const log = this.#log;
    const { clock, version } = daemon.workspace.environment;
    const tokens = new TokenCheck(
      () => openTokens(daemon.workspace),
      clock,
      (error) => log.warn('tokens cannot be read anew; those that are known hold', { error: messageOf(error) }),
    );
    await tokens.prepare().catch((error: unknown) => {
      log.warn('tokens cannot be read yet; nobody is let in before', { error: messageOf(error) });
    });
    const record = daemon.record.append.bind(daemon.record);
    const context = { daemon: handleOf(daemon, plans, holdsLease), tokens, record, clock, log, version };
    await this.listen(version);
    this.#running = this.#listening!.serve(context);
  }

  /** Reads the certificate again: where that fails the old one stays. */
  async reload(): Promise<void> {
    try {
      await this.#listening?.reloadTls();
    } catch (error) {
      this.#log.error('the certificate was refused; the one that was loaded before still holds', {
        error: messageOf(error),
      });
    }
  }

  async stop(): Promise<void> {
    const open = this.#running ?? this.#listening;
    this.#running = this.#listening = undefined;
    await open?.close();
  }
}
