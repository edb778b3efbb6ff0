/**
 * Where a source is now, after its server moved in a failover: an event of the ledger says so, and the plan stays as it is
 * written. A plan that is edited later, so that it names another server itself, comes first again.
 */
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { withoutPassword, withPassword } from '../../foundation/url-password.ts';
import type { LedgerEvent, SourceMoved } from '../../ledger/index.ts';
import { type Source as PlanSource, resolveSecret, type TextOrReference } from '../../plan/index.ts';
import type { Workspace } from '../workspace.ts';

export type Place = SourceMoved['to'];

/** A source that is elsewhere than the plan says. */
export interface Move {
  to: Exclude<Place, 'plan'>;
  /** RFC 3339. */
  since: string;
}

/** Where a source is by the newest event, if not where the plan says. Pure. @param events oldest first */
export function moveIn(events: readonly LedgerEvent[], planned: PlanSource): Move | undefined {
  const written = JSON.stringify(writtenAddress(planned));
  const newest = events.findLast(
    ({ kind, body }) => kind === 'source.moved' && body.source === planned.name && JSON.stringify(body.was) === written,
  );
  if (newest?.kind !== 'source.moved' || newest.body.to === 'plan') return undefined;
  return { to: newest.body.to, since: newest.time };
}

/** As a person is told. */
export function placeText(to: Exclude<Place, 'plan'>): string {
  if ('standby' in to) return `the standby ${to.standby} of the plan`;
  return typeof to.url === 'string' ? to.url : `where ${Object.values(to.url).flat()[0]} says`;
}

/**
 * Records where a source is from now on. Said again, it is recorded once.
 * @param to a standby of the plan; a URL without a password, or a reference; `plan` for where the plan says
 * @throws bad-usage for a password, and for what is no server; what keeps it from being recorded
 */
export async function moveSource(
  workspace: Workspace,
  { source, to, run }: { source: string; to: Place; run?: string },
): Promise<void> {
  const planned = workspace.sources([source])[0]!;
  const was = writtenAddress(planned);
  if (was === undefined) {
    throw new HoldfastError('bad-usage', `${source} is no server that could move`, {
      hint: 'Only sources with a URL of a server have another address.',
    });
  }
  if (to !== 'plan' && 'url' in to && typeof to.url === 'string' && withoutPassword(to.url) !== to.url) {
    throw new HoldfastError('bad-usage', 'no password is written into the ledger', {
      hint: 'Give the password, or the whole URL, as a reference.',
    });
  }
  if (to !== 'plan' && 'standby' in to) standbyUrl(workspace, source, to.standby);
  if (JSON.stringify(await knownPlace(workspace, planned)) === JSON.stringify(to)) return;
  await workspace
    .recorder(planned.repository)
    .record('source.moved', { source, was, to, ...(run !== undefined && { run }) });
}

/** Where it is by the newest event; undefined where none can be read now: what is recorded twice does no harm. */
async function knownPlace(workspace: Workspace, planned: PlanSource): Promise<Place | undefined> {
  try {
    return moveIn(await eventsOf(workspace, planned), planned)?.to ?? 'plan';
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return undefined;
  }
}

/**
 * The URL of a source that moved, with its password; undefined where it is where the plan says.
 * @throws what keeps the ledger from being read in the repository and all of its mirrors: where the source is, is not known then
 */
export async function movedUrl(workspace: Workspace, planned: PlanSource): Promise<string | undefined> {
  const move = moveIn(await eventsOf(workspace, planned), planned);
  if (move === undefined) return undefined;
  const { to } = move;
  const { references } = workspace;
  if ('standby' in to) return resolveSecret(standbyUrl(workspace, planned.name, to.standby), references);
  const url = await resolveSecret(to.url as TextOrReference, references);
  if (to.password === undefined) return url;
  return withPassword(url, await resolveSecret(to.password as TextOrReference, references));
}

/** As the plan has it: a reference, or a URL without a password. */
function writtenAddress(planned: PlanSource): TextOrReference | undefined {
  return planned.type === 'postgres' || planned.type === 'redis' ? planned.url : undefined;
}

/** @throws plan-invalid */
function standbyUrl({ plan }: Workspace, source: string, name: string): TextOrReference {
  const standby = plan.standbys.get(name);
  if (standby !== undefined) return standby.url;
  throw new HoldfastError('plan-invalid', `${source} moved to the standby ${name}, which the plan has no more`, {
    hint: 'Give the source the URL of its server in the plan, which comes first then.',
  });
}

/** What the ledger says of moves: in the repository of the source, or a mirror of it, and what waits on this machine. */
async function eventsOf(workspace: Workspace, { name, repository }: PlanSource): Promise<LedgerEvent[]> {
  const waiting = (await workspace.recorder(repository).waiting()).filter(({ kind }) => kind === 'source.moved');
  let first: unknown;
  // Where nothing is yet, nothing has moved.
  let isAnyHidden = false;
  for (const copy of [repository, ...workspace.mirrorsOf(repository)]) {
    try {
      const { ledger } = await workspace.openToRead(copy);
      return [...(await ledger.events({ kinds: ['source.moved'], sources: [name] })), ...waiting];
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      isAnyHidden ||= error.code !== 'no-repository' && error.code !== 'no-bucket';
      first ??= error;
    }
  }
  if (isAnyHidden) throw first;
  return waiting;
}
