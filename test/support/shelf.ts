import { seal, unseal } from '../../src/format/index.ts';
import { newSealingKey } from '../../src/format/key-file.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import type { LedgerEvent, LedgerStorage } from '../../src/ledger/index.ts';

const key = newSealingKey();
/** When each content was first listed, as a number that grows. */
const written = new WeakMap<Uint8Array, number>();
let writes = 0;

function writtenAt(content: Uint8Array): number {
  const at = written.get(content) ?? ++writes;
  written.set(content, at);
  return at;
}

/** Where events lie in tests of the ledger: they may be looked at, and tampered with as one who has the password can. */
export class Shelf implements LedgerStorage {
  readonly objects: Map<string, Uint8Array>;
  fault: 'before' | 'after' | undefined;
  onList: (() => Promise<void>) | undefined;
  /** Called before each call that changes something, with its key; what it throws is what the call fails with. */
  onChange: ((method: 'putNew' | 'delete', name: string) => void) | undefined;
  /** How many objects were read. */
  gets = 0;

  constructor(objects: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.objects = new Map(objects);
  }

  seal(plain: Uint8Array): Uint8Array {
    return seal(key, plain);
  }

  unseal(sealed: Uint8Array): Uint8Array {
    return unseal(key, sealed);
  }

  async putNew(name: string, sealed: Uint8Array): Promise<void> {
    const { fault } = this;
    this.fault = undefined;
    this.onChange?.('putNew', name);
    if (fault === 'before') throw new HoldfastError('store-unreachable', 'made to fail');
    if (this.objects.has(name)) throw new HoldfastError('object-exists', 'it is there');
    this.objects.set(name, sealed);
    if (fault === 'after') throw new HoldfastError('store-unreachable', 'made to fail');
  }

  async get(name: string): Promise<Uint8Array> {
    this.gets++;
    const sealed = this.objects.get(name);
    if (sealed === undefined) throw new HoldfastError('object-missing', `${name} is not there`);
    return sealed;
  }

  async delete(name: string): Promise<void> {
    this.onChange?.('delete', name);
    this.objects.delete(name);
  }

  async *list(): AsyncIterable<{ key: string; sizeBytes: number; modifiedMs: number }> {
    const entries = [...this.objects];
    const half = Math.floor(entries.length / 2);
    for (const [index, [name, content]] of entries.entries()) {
      if (index === half) await this.onList?.();
      yield { key: name, sizeBytes: content.byteLength, modifiedMs: writtenAt(content) };
    }
  }

  open(name: string): LedgerEvent {
    return JSON.parse(Buffer.from(this.unseal(this.objects.get(name)!)).toString()) as LedgerEvent;
  }

  edit(name: string, change: Record<string, unknown>): void {
    this.objects.set(name, this.seal(Buffer.from(JSON.stringify({ ...this.open(name), ...change }))));
  }

  get names(): string[] {
    return [...this.objects.keys()];
  }
}
