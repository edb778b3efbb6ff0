import { HoldfastError } from '../../foundation/errors.ts';
import type { RedisCheck, Resolved } from '../../plan/index.ts';
import type { Capture, Comparison, ExamineContext, Finding, Restored, Source, Validation } from '../index.ts';
import { parseLocation } from './connection/location.ts';
import { examineServer } from './examine.ts';

export interface RedisSourceOptions {
  name: string;
  /** The connection URL, fetched when it is needed: a restore to another place does not need it. */
  url: () => Promise<string>;
  method: 'replication' | 'scan';
  validate: Resolved<RedisCheck>[];
  /** Holdfast's own version, for the manifest. */
  version: string;
}

/** A Redis or Valkey server with all of its databases, captured as the RDB file that such a server loads. */
export function createRedisSource(options: RedisSourceOptions): Source {
  return new RedisSource(options);
}

class RedisSource implements Source {
  readonly type = 'redis';
  readonly name: string;
  readonly #options: RedisSourceOptions;

  constructor(options: RedisSourceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async examine({ signal }: ExamineContext): Promise<Finding[]> {
    return examineServer(parseLocation(await this.#options.url()), this.#options.method, signal);
  }

  async capture(): Promise<Capture> {
    throw notYet();
  }

  async restore(): Promise<Restored> {
    throw notYet();
  }

  async validate(): Promise<Validation> {
    throw notYet();
  }

  async compare(): Promise<Comparison> {
    throw notYet();
  }
}

function notYet(): HoldfastError {
  return new HoldfastError('source-unsupported', 'a Redis server can be examined only by this version');
}
