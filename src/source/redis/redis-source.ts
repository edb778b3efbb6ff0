import { HoldfastError } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import type { RedisCheck, Resolved } from '../../plan/index.ts';
import type { SnapshotReader, SnapshotWriter } from '../../repository/index.ts';
import type {
  Capture,
  CaptureContext,
  Comparison,
  DamageContext,
  Damaged,
  ExamineContext,
  Finding,
  ItemCount,
  RestoreContext,
  Restored,
  Source,
  ValidateContext,
  Validation,
} from '../index.ts';
import { captureServer } from './capture.ts';
import { compareServer } from './compare/compare.ts';
import { parseLocation } from './connection/location.ts';
import { damageKey } from './damage.ts';
import { itemsOf, readDetails } from './details.ts';
import { examineServer } from './examine.ts';
import { releaseDirectory, replayToDirectory, restoreToDirectory } from './restore/directory.ts';
import { refuseTarget, releaseServer, restoreToServer, type ServerTarget } from './restore/server.ts';
import { targetLocation } from './restore/target.ts';
import { followStream } from './stream/follow.ts';
import { validateDirectory, validateServer } from './validate.ts';

export interface RedisSourceOptions {
  name: string;
  /** The connection URL, fetched when it is needed: a restore to another place does not need it. */
  url: () => Promise<string>;
  method: 'replication' | 'scan';
  /** Whether its replication stream is to be followed. */
  stream?: boolean;
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
  readonly follow?: NonNullable<Source['follow']>;
  readonly #options: RedisSourceOptions;

  constructor(options: RedisSourceOptions) {
    this.name = options.name;
    this.#options = options;
    const { url, stream = false } = options;
    if (stream) this.follow = (sink, context) => followStream(async () => parseLocation(await url()), sink, context);
  }

  async examine({ signal }: ExamineContext): Promise<Finding[]> {
    const { url, method, stream = false } = this.#options;
    return examineServer(parseLocation(await url()), { method, isFollowed: stream }, signal);
  }

  async capture(writer: SnapshotWriter, context: CaptureContext): Promise<Capture> {
    const { url, method, version } = this.#options;
    const location = parseLocation(await url());
    return captureServer({ source: this.name, version, location, method }, writer, context);
  }

  async restore(reader: SnapshotReader, target: Target, context: RestoreContext): Promise<Restored> {
    if (target.kind === 'database') return restoreToServer(reader, target, context);
    if (context.selection === undefined) {
      return context.log === undefined
        ? restoreToDirectory(reader, target.path, context)
        : replayToDirectory(reader, target.path, { ...context, log: context.log });
    }
    throw new HoldfastError('bad-usage', 'some of the keys are restored to a running server only', {
      hint: 'Give `--to` the URL of a server, or leave `--only` out.',
    });
  }

  async release(
    _reader: SnapshotReader,
    target: Target,
    context: Pick<RestoreContext, 'begunBy' | 'signal'>,
  ): Promise<void> {
    if (target.kind === 'database') await releaseServer(target, context);
    else await releaseDirectory(target.path);
  }

  refuse(
    reader: SnapshotReader,
    target: ServerTarget,
    context: Pick<RestoreContext, 'selection' | 'as' | 'signal'>,
  ): Promise<void> {
    return refuseTarget(reader, target, context);
  }

  validate(reader: SnapshotReader, target: Target, context: ValidateContext): Promise<Validation> {
    const { validate } = this.#options;
    return target.kind === 'database'
      ? validateServer(reader, target, validate, context)
      : validateDirectory(reader, target.path, context);
  }

  async compare(reader: SnapshotReader, other: Target | undefined, context: RestoreContext): Promise<Comparison> {
    if (other?.kind === 'directory') {
      throw new HoldfastError('target-unsuitable', 'a server can be compared with a running server only', {
        hint: 'Give `--with` the URL of a server, or leave it out for the living one.',
      });
    }
    const { url, method } = this.#options;
    const location = other === undefined ? parseLocation(await url()) : targetLocation(other.url);
    return compareServer(reader, { location, method, side: other === undefined ? 'source' : 'target' }, context);
  }

  async damage(target: ServerTarget, { signal }: DamageContext): Promise<Damaged | undefined> {
    return damageKey(target.url, signal);
  }

  async contents(reader: SnapshotReader, item: string | undefined): Promise<ItemCount[]> {
    const items = itemsOf(await readDetails(reader));
    return item === undefined ? items : items.filter((each) => each.item === item);
  }
}
