import { createHash } from 'node:crypto';
import { ledgerStorage, type OpenedRepository } from '../../workspace.ts';
import { type Digest, digestOf } from './digest.ts';

/** What a repository's ledger says, read again only when something came to it. */
export class KnownEvents {
  #digest: Digest | undefined;
  #keys = '';

  /** The same as before where nothing came. @throws repository-damaged, store-unreachable … */
  async read({ repository, ledger }: Pick<OpenedRepository, 'repository' | 'ledger'>): Promise<Digest> {
    const keys: string[] = [];
    for await (const { key } of ledgerStorage(repository).list()) keys.push(key);
    const listed = createHash('sha256').update(keys.sort().join('\n')).digest('hex');
    if (this.#digest === undefined || listed !== this.#keys) this.#digest = digestOf(await ledger.read());
    this.#keys = listed;
    return this.#digest;
  }
}
