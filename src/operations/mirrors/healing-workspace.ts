import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Ledger } from '../../ledger/index.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { type Healer, holdsRepository, type Repository } from '../../repository/index.ts';
import { movedUrl } from '../moves/moves.ts';
import { lockPolicyOf } from '../object-lock/lock-scope.ts';
import { type OpenedRepository, type OpenOptions, Workspace } from '../workspace.ts';
import { createHealer } from './healing.ts';

/** A plan at work whose repositories are healed from older versions and from their mirrors by whoever reads them, and whose sources are where they moved to. */
export class HealingWorkspace extends Workspace {
  /** By source: where it was when that was known last. */
  readonly #moved = new Map<string, string | undefined>();

  /** With what a person can do where a mirror has what it cannot be opened without. */
  override async openToRead(name: string, options?: OpenOptions): Promise<OpenedRepository> {
    try {
      return await super.openToRead(name, options);
    } catch (error) {
      const isLost = isHoldfastError(error, 'no-repository') || isHoldfastError(error, 'repository-damaged');
      const mirror = isLost ? await this.#mirrorThatHolds(name) : undefined;
      if (!isLost || mirror === undefined) throw error;
      throw new HoldfastError(error.code, error.message, {
        hint: `${mirror} is a mirror of ${name}: \`holdfast check ${name} --repair\` takes from it what is missing; where all is lost, \`holdfast repository promote ${mirror}\` makes it the repository.`,
        context: { ...error.context, mirror },
        cause: error,
      });
    }
  }

  /** The first mirror of a repository in which there is one: of a new plan there is none yet. */
  async #mirrorThatHolds(name: string): Promise<string | undefined> {
    for (const mirror of this.mirrorsOf(name)) {
      try {
        if (await holdsRepository((await this.storeOf(mirror)).store)) return mirror;
      } catch (error) {
        // What the repository was refused with is the news.
        if (!isHoldfastError(error)) throw error;
      }
    }
    return undefined;
  }

  /** As long as no copy of the ledger can be read, a source is where it was known to be last. */
  override async movedUrl(planned: PlanSource): Promise<string | undefined> {
    try {
      const url = await movedUrl(this, planned);
      this.#moved.set(planned.name, url);
      return url;
    } catch (error) {
      if (!isHoldfastError(error) || !this.#moved.has(planned.name)) throw error;
      return this.#moved.get(planned.name);
    }
  }

  protected override healerOf(
    about: { name: string; repository: Repository; ledger: Ledger },
    told: (note: string) => void,
  ): Healer | undefined {
    const isAlone = this.mirrorsOf(about.name).length === 0 && lockPolicyOf(this, about.name) === undefined;
    if (isAlone || this.environment.asOfMs !== undefined) return undefined;
    return createHealer(this, about, ({ note }) => told(note));
  }
}
