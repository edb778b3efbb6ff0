/** The corruption that each drill plants, and verification has to find: without it a green drill would mean nothing. */
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { validateAt, Workspace } from '../../operations/index.ts';
import { type ByteRange, DecoratedStore, type Use } from '../../store/index.ts';
import type { StepResult } from '../step.ts';

/** What a restore of the drill brought back. */
export interface Copy {
  source: string;
  /** A directory or a URL. */
  to: string;
  snapshot: string;
}

/** A store whose packs have rotten, in one bit each. What is stored stays as it is. */
class RottenStore extends DecoratedStore {
  override async get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array> {
    const bytes = await super.get(key, range, use);
    if (!key.startsWith('data/') || bytes.length === 0) return bytes;
    const rotten = Uint8Array.from(bytes);
    rotten[rotten.length >> 1]! ^= 1;
    return rotten;
  }
}

/**
 * Holds a copy against its backup, read from packs that are damaged on their way.
 * @throws validation-failed where that is not found
 */
export async function plantAndFind(workspace: Workspace, copies: readonly Copy[]): Promise<StepResult> {
  const [copy] = copies;
  if (copy === undefined) {
    const summary = 'nothing was restored, so nothing could be planted: this drill shows nothing of verification';
    return { outcome: 'partial', summary, outputs: {} };
  }
  const { source, to: at, snapshot } = copy;
  const found = await findingOf(rotten(workspace), { source, at, snapshot });
  if (found !== undefined) {
    const summary = `a bit of each pack of ${source} was changed on its way, and verification found it: ${found}`;
    return { outcome: 'done', summary, outputs: {} };
  }
  throw new HoldfastError('validation-failed', `a planted corruption of ${source} was not found by verification`, {
    hint: 'Nothing that this drill verified can be relied on: report this as a fault of Holdfast.',
    context: { source, snapshot },
  });
}

async function findingOf(
  workspace: Workspace,
  request: { source: string; at: string; snapshot: string },
): Promise<string | undefined> {
  try {
    const { checks } = await validateAt(workspace, request);
    return checks.find(({ result }) => result === 'failed')?.detail;
  } catch (error) {
    if (isHoldfastError(error, 'repository-damaged')) return error.message;
    throw error;
  }
}

/** The same repositories, with nothing between them and the fault: no cache, and nothing that would heal it. */
function rotten({ plan, environment }: Workspace): Workspace {
  const { cached: _, ...adapters } = environment.adapters;
  const openStore: typeof adapters.openStore = async (...given) => new RottenStore(await adapters.openStore(...given));
  const { cacheDirectory: __, ...bare } = environment;
  return new Workspace({ plan: { ...plan, mirrors: new Map() } }, { ...bare, adapters: { ...adapters, openStore } });
}
