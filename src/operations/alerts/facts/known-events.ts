import type { OpenedRepository } from '../../workspace.ts';
import { type Digest, digestOf, digestSummary } from './digest.ts';

/** What a repository's ledger says: of what came to it since, only that is read. */
export class KnownEvents {
  #of: { ledger: OpenedRepository['ledger']; version: number; digest: Digest } | undefined;

  /** The same as before where nothing came. @throws repository-damaged, store-unreachable … */
  async read({ ledger }: Pick<OpenedRepository, 'ledger'>): Promise<Digest> {
    const { state, version } = await ledger.view(digestSummary).read();
    if (this.#of?.ledger !== ledger || this.#of.version !== version) {
      this.#of = { ledger, version, digest: digestOf(state) };
    }
    return this.#of.digest;
  }
}
