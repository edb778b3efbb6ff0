import { readFileSync } from 'node:fs';
import { HoldfastError } from '../../foundation/errors.ts';
import {
  type ByteRange,
  type Content,
  DecoratedStore,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  type Use,
} from '../index.ts';

export interface StoreCall {
  method: 'put' | 'get' | 'list' | 'stat' | 'delete';
  /** A prefix for `list`. */
  key: string;
  /** What a `get` asks for, when that is not all. */
  range?: ByteRange;
}

/** Failures that trying again does not mend; the effect of the call is not there. */
const LASTING = ['disk-full', 'permission-denied', 'no-bucket'] as const;

/**
 * What a rule says of a call: nothing; when it fails in a way that passes; how it fails for good; or that a byte of what it
 * gets is altered on its way.
 */
export type Fault = 'before' | 'after' | 'flipped' | (typeof LASTING)[number] | undefined;

/** A store that records every call and fails by a rule: for tests. */
export class FaultyStore extends DecoratedStore {
  /** Every call that came, in order, whether it failed or not. */
  readonly calls: StoreCall[] = [];
  /** May be changed at any time. @param index how many calls came before */
  rule: (call: StoreCall, index: number) => Fault;

  constructor(inner: ObjectStore, rule: FaultyStore['rule'] = () => undefined) {
    super(inner);
    this.rule = rule;
  }

  /** The keys of the puts that came. */
  get puts(): string[] {
    return this.calls.filter(({ method }) => method === 'put').map(({ key }) => key);
  }

  override async put(key: string, content: Content, options?: PutOptions): Promise<void> {
    const finish = this.#begin({ method: 'put', key });
    if (finish === undefined || content instanceof Uint8Array) await this.inner.put(key, content, options);
    // Who is told that it failed puts the same file again.
    else await this.inner.put(key, readFileSync(content.file), options);
    finish?.();
  }

  override get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array> {
    const call: StoreCall = { method: 'get', key, ...(range && { range }) };
    return this.#run(call, () => this.inner.get(key, range, use));
  }

  override async *list(prefix: string): AsyncIterable<StoredObject> {
    const finish = this.#begin({ method: 'list', key: prefix });
    yield* this.inner.list(prefix);
    finish?.();
  }

  override stat(key: string): Promise<StoredObject | undefined> {
    return this.#run({ method: 'stat', key }, () => this.inner.stat(key));
  }

  override delete(key: string): Promise<void> {
    return this.#run({ method: 'delete', key }, () => this.inner.delete(key));
  }

  async #run<T>(call: StoreCall, work: () => Promise<T>): Promise<T> {
    const finish = this.#begin(call);
    const result = await work();
    finish?.(result);
    return result;
  }

  /** @returns what goes wrong when the effect is there, if something is to */
  #begin(call: StoreCall): ((result?: unknown) => void) | undefined {
    const fault = this.rule(call, this.calls.length);
    this.calls.push(call);
    const what = `${call.method} ${call.key}`;
    const lasting = LASTING.find((code) => code === fault);
    if (lasting !== undefined) throw new HoldfastError(lasting, `cannot ${what}: made to fail`);
    const fail = (): never => {
      throw new HoldfastError('store-unreachable', `cannot ${what}: made to fail`, { retryable: true });
    };
    if (fault === 'before') fail();
    if (fault === 'flipped') return flipMiddle;
    return fault === 'after' ? fail : undefined;
  }
}

function flipMiddle(result: unknown): void {
  if (result instanceof Uint8Array && result.length > 0) result[result.length >> 1]! ^= 1;
}
