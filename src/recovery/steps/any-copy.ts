/** Reading from a repository, or from a mirror of it where it is away. */
import { type ErrorCode, isHoldfastError } from '../../foundation/errors.ts';
import type { AnyContext } from './any-context.ts';

/** What says that a whole repository is out of reach. */
const AWAY: readonly ErrorCode[] = ['store-unreachable', 'store-failed', 'no-bucket', 'no-repository'];

/**
 * Does work with a source's own repository, and where that is away, or goes away in the middle, with its mirrors, one after
 * the other. Where a repository is named, with that alone.
 * @param work begins again, or goes on with what it left
 * @throws what kept it from the repository, where no mirror can be read either
 */
export async function fromAnyCopy<T>(
  { workspace, tell, signal }: AnyContext,
  { named, source }: { named: string | undefined; source: string },
  work: (repository: string) => Promise<T>,
): Promise<T> {
  const own = workspace.repositoryName(named ?? workspace.sources([source])[0]!.repository);
  const copies = named === undefined ? [own, ...workspace.mirrorsOf(own)] : [own];
  let first: unknown;
  for (const copy of copies) {
    try {
      return await work(copy);
    } catch (error) {
      signal.throwIfAborted();
      if (!isHoldfastError(error) || !AWAY.includes(error.code)) throw error;
      first ??= error;
      tell(`${copy} is away: ${error.message}`);
    }
  }
  throw first;
}
