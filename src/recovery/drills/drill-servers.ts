/** Servers that steps of a drill work on: copies, which know each other alone. */
import { HoldfastError } from '../../foundation/errors.ts';
import { settled } from '../../foundation/promises.ts';
import { type HeldCopy, holdCopy, type Workspace } from '../../operations/index.ts';
import type {
  DrillFaults,
  Plan,
  PlannedStep,
  Source,
  StepDocument,
  StepOf,
  TextOrReference,
} from '../../plan/index.ts';
import type { ServerCopies, ServerCopy } from '../../sandbox/index.ts';

/** What the one server is called that follows a Redis server: the plan has no name for it. */
const REPLICA = 'replica';

/** The source whose servers a step works on; undefined where a copy of them has not what it works on, and of any other kind of step. */
export function sourceOfServers(
  step: StepDocument,
  { sources, standbys }: Pick<Plan, 'sources' | 'standbys'>,
): string | undefined {
  switch (step.do) {
    case 'compare':
      return step.with === undefined && hasServer(sources.get(step.source)) ? step.source : undefined;
    case 'isolate':
      return turnsRolesOff(step) && sources.get(step.source!)?.type === 'postgres' ? step.source : undefined;
    case 'postgres.promote':
      return standbys.get(step.standby)?.of;
    case 'postgres.fence':
    case 'postgres.reseed':
    case 'redis.promote':
    case 'redis.reseed':
      return step.source;
    default:
      return undefined;
  }
}

function hasServer(source: Source | undefined): boolean {
  return source?.type === 'postgres' || source?.type === 'redis';
}

/** Users of Redis are no part of its data; and a copy is reached by a socket alone, from whatever address. */
function turnsRolesOff({ source, users = [], allow, exec, http }: StepOf<'isolate'>): boolean {
  return source !== undefined && users.length > 0 && [allow, exec, http].every((each) => each === undefined);
}

/** By the sources whose servers a drill has copies of: what those are called that follow them. Pure. */
export function wantedServers(
  steps: readonly PlannedStep[],
  { kill, cutOff }: DrillFaults,
  plan: Pick<Plan, 'sources' | 'standbys'>,
): Map<string, string[]> {
  const worked = steps.flatMap(({ document }) =>
    document.drill === 'run' ? (sourceOfServers(document, plan) ?? []) : [],
  );
  const sources = new Set([...worked, ...kill, ...cutOff]);
  return new Map(
    [...sources].map((source) => {
      const standbys = [...plan.standbys.values()].filter(({ of }) => of === source).map(({ name }) => name);
      return [source, plan.sources.get(source)?.type === 'redis' ? [REPLICA] : standbys];
    }),
  );
}

/** The copies of one source's servers. */
export class SourceServers {
  readonly source: string;
  readonly held: HeldCopy;
  readonly copies: ServerCopies;
  /** Which takes the writes by now. */
  primary: ServerCopy;
  /** Nobody reaches it: it was killed, or cut off. */
  readonly #lost = new Set<ServerCopy>();
  /** Where the plan says that they are: never to be looked at. */
  readonly #addresses: ReadonlyMap<string, ServerCopy>;
  readonly #isRedis: boolean;

  constructor(held: HeldCopy, copies: ServerCopies, { sources, standbys }: Plan, source: string) {
    this.source = source;
    this.held = held;
    this.copies = copies;
    this.primary = copies.primary;
    const planned = sources.get(source)!;
    this.#isRedis = planned.type === 'redis';
    const own = 'url' in planned ? [[keyOf(planned.url), copies.primary] as const] : [];
    const others = [...copies.followers].flatMap(([name, copy]) => {
      const standby = standbys.get(name);
      return standby === undefined ? [] : [[keyOf(standby.url), copy] as const];
    });
    this.#addresses = new Map([...own, ...others]);
  }

  get all(): ServerCopy[] {
    return [this.copies.primary, ...this.copies.followers.values()];
  }

  /** The copy of the server that a step names by its address; undefined where that tells nothing. */
  named(given: TextOrReference | undefined): ServerCopy | undefined {
    if (given === undefined) return undefined;
    return this.#addresses.get(keyOf(given)) ?? (this.#isRedis ? this.copies.followers.get(REPLICA) : undefined);
  }

  /** Another one than this. @throws bad-usage where there is none */
  otherThan(copy: ServerCopy): ServerCopy {
    const other = this.all.find((each) => each !== copy);
    if (other !== undefined) return other;
    throw new HoldfastError('bad-usage', `nothing follows the server of ${this.source}`, {
      hint: 'Name what follows it under `standbys:` of the plan.',
    });
  }

  isLost(copy: ServerCopy): boolean {
    return this.#lost.has(copy);
  }

  async kill(copy: ServerCopy): Promise<void> {
    this.#lost.add(copy);
    await copy.kill();
  }

  async cutOff(copy: ServerCopy): Promise<void> {
    this.#lost.add(copy);
    await copy.cutOff();
  }

  /** It is back, as it was. */
  async bringBack(copy: ServerCopy): Promise<void> {
    await copy.start();
    this.#lost.delete(copy);
  }
}

/** All copies of a drill. They end with it, however it ends. */
export class DrillServers {
  readonly #sources = new Map<string, SourceServers>();

  /**
   * @param workspace a drill's own
   * @param plan as it is: its addresses are compared with, and not used
   * @throws as `holdCopy`; sandbox-failed. Nothing is left then.
   */
  static async open(
    workspace: Workspace,
    wanted: ReadonlyMap<string, string[]>,
    plan: Plan,
    tell: (line: string) => void,
  ): Promise<DrillServers> {
    const servers = new DrillServers();
    try {
      for (const [source, followers] of wanted) {
        const names = followers.length === 0 ? '' : `, followed by ${followers.join(', ')}`;
        tell(`makes a copy of the server of ${source}${names}`);
        const held = await holdCopy(workspace, { source });
        try {
          const copies = await held.copies(followers);
          servers.#sources.set(source, new SourceServers(held, copies, plan, source));
        } catch (error) {
          await settled(held.close());
          throw error;
        }
      }
      return servers;
    } catch (error) {
      await settled(servers.close());
      throw error;
    }
  }

  of(source: string): SourceServers | undefined {
    return this.#sources.get(source);
  }

  get sources(): Iterable<SourceServers> {
    return this.#sources.values();
  }

  /** The copy of a standby of the plan. */
  standby(name: string): ServerCopy | undefined {
    return [...this.#sources.values()]
      .map(({ copies }) => copies.followers.get(name))
      .find((each) => each !== undefined);
  }

  /** Whether a URL or a directory is one of theirs. */
  has(place: string): boolean {
    const all = [...this.#sources.values()].flatMap((each) => each.all);
    return all.some(({ url, directory }) => url === place || directory === place);
  }

  /** @throws the first of what kept one from ending well. All of them have ended by then. */
  async close(): Promise<void> {
    const ends = await Promise.allSettled([...this.#sources.values()].map(({ held }) => held.close()));
    for (const each of ends) if (each.status === 'rejected') throw each.reason;
  }
}

function keyOf(address: TextOrReference): string {
  return JSON.stringify(address);
}
