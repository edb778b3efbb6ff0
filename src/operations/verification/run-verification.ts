import type { HoldfastError } from '../../foundation/errors.ts';
import type { VerificationFinished, VerifiedSource } from '../../ledger/index.ts';
import type { Source as PlanSource, Verification } from '../../plan/index.ts';
import { verifySource } from '../verify/verify.ts';
import { reportable, type Workspace } from '../workspace.ts';
import { checkSources } from './check-sources.ts';
import { removeKept } from './kept.ts';
import { notRun, outcomeOf, type VerifiedRepository } from './verified.ts';

export interface VerificationOutcome extends VerifiedRepository {
  verification: string;
  level: Verification['level'];
  /** As in `VerificationFinished`, of all repositories together. `sources` are in the order of the plan's entry. */
  outcome: VerificationFinished['outcome'];
  durationMs: number;
}

/**
 * Carries out one entry of the plan's `verification`: each source by itself, so that one which cannot be looked at keeps no
 * other from it. What came of it is recorded in the ledger of each repository that has any of them.
 * @param random from 0 up to, and without, 1: what `pick: random` picks by
 * @throws what keeps it from being recorded; interrupted
 */
export async function runVerification(
  workspace: Workspace,
  verification: Verification,
  { random = Math.random }: { random?: () => number } = {},
): Promise<VerificationOutcome> {
  const { clock } = workspace.environment;
  const started = clock.monotonicMs();
  const { name, level } = verification;
  await removeKept(workspace).catch((thrown: unknown) => {
    // What was left before keeps nothing from being verified; `serve` tries each hour, and alarms.
    const { message } = failureOf(workspace, thrown);
    workspace.environment.progress(name).note(`what proofs left cannot be removed: ${message}`);
  });
  const planned = workspace.sources(verification.sources);
  const all: VerifiedRepository = { sources: [], damaged: [], errors: [] };
  for (const repository of new Set(planned.map((source) => source.repository))) {
    const own = planned.filter((source) => source.repository === repository);
    const begunMs = clock.monotonicMs();
    const found = await verifiedIn(workspace, repository, own, { verification, random });
    const durationMs = clock.monotonicMs() - begunMs;
    const { sources, damaged } = found;
    const outcome = outcomeOf(found);
    await record(workspace, { verification: name, repository, level, outcome, sources, damaged, durationMs });
    all.sources.push(...found.sources);
    all.errors.push(...found.errors);
    all.damaged.push(...found.damaged);
  }
  const order = verification.sources;
  all.sources.sort((one, other) => order.indexOf(one.source) - order.indexOf(other.source));
  return { verification: name, level, outcome: outcomeOf(all), ...all, durationMs: clock.monotonicMs() - started };
}

interface How {
  verification: Verification;
  random: () => number;
}

async function verifiedIn(
  workspace: Workspace,
  repository: string,
  sources: readonly PlanSource[],
  how: How,
): Promise<VerifiedRepository> {
  const { verification, random } = how;
  if (verification.level === 'proven') {
    const found: VerifiedRepository = { sources: [], damaged: [], errors: [] };
    for (const source of sources) {
      try {
        found.sources.push(await provenSource(workspace, source, how));
      } catch (thrown) {
        add(found, notRun(source.name, failureOf(workspace, thrown)));
      }
    }
    return found;
  }
  try {
    return await checkSources(workspace, { repository, sources, verification, random });
  } catch (thrown) {
    const error = failureOf(workspace, thrown);
    return { sources: sources.map(({ name }) => notRun(name, error).verified), damaged: [], errors: [error] };
  }
}

function add(found: VerifiedRepository, { verified, error }: ReturnType<typeof notRun>): void {
  found.sources.push(verified);
  found.errors.push(error);
}

/** @throws interrupted: nobody failed then */
function failureOf({ environment: { signal } }: Workspace, thrown: unknown): HoldfastError {
  const error = reportable(thrown, signal);
  if (signal.aborted) throw error;
  return error;
}

async function provenSource(
  workspace: Workspace,
  planned: PlanSource,
  { verification, random }: How,
): Promise<VerifiedSource> {
  const { pick, fromMs, keepMs, sandboxes } = verification;
  const sandbox = sandboxes.get(planned.name);
  const proof = await verifySource(workspace, planned, {
    ...{ pick, random },
    ...(fromMs !== undefined && { fromMs }),
    ...(keepMs !== undefined && { keepMs }),
    ...(sandbox !== undefined && { sandbox }),
  });
  const { source, state, snapshot, tree, time, bytes, checksFailed, reason } = proof;
  const message = reason ?? (checksFailed.length > 0 ? checksFailed.join(', ') : undefined);
  return { source, state, snapshot, tree, time, bytes, ...(message !== undefined && { message }) };
}

/** Where nothing could be looked at, the ledger may be out of reach as well: whoever asked is told by the outcome. */
async function record(workspace: Workspace, { damaged = [], ...body }: VerificationFinished): Promise<void> {
  try {
    const { ledger } = await workspace.open(body.repository);
    await ledger.append('verification.finished', { ...body, ...(damaged.length > 0 && { damaged }) });
  } catch (thrown) {
    const error = reportable(thrown, workspace.environment.signal);
    if (body.outcome !== 'failed') throw error;
    for (const source of body.sources)
      source.message = `${source.message}; and this could not be recorded: ${error.message}`;
  }
}
