import { HoldfastError } from '../../foundation/errors.ts';
import { hasLog, isWatched, type Source as PlanSource } from '../../plan/index.ts';
import { FollowedMirrors } from '../mirrors/followed-mirrors.ts';
import type { MirrorOutcome } from '../mirrors/replicate.ts';
import { keepLockedEvery } from '../object-lock/keep-locked-every.ts';
import { reportable, type Workspace } from '../workspace.ts';
import { FollowedChanges } from './followed-changes.ts';
import { type Followed, FollowedSource } from './followed-source.ts';
import { type FollowSettings, foldAfterMs, settingsOf } from './settings.ts';

export interface FollowOutcome {
  sources: Followed[];
  /** What came of the last run for each mirror, after all else. */
  mirrors: MirrorOutcome[];
}

/**
 * Captures the logs of these sources and what changes in them, or in all that have a log or are watched, until the signal is
 * aborted. One that fails does not stop the others. What is stored goes to the mirrors of its repository as it comes.
 * @param asked how, where that is not to be as the plan has it
 * @throws bad-usage when there is nothing to follow
 */
export async function follow(
  workspace: Workspace,
  names: readonly string[],
  asked: Partial<FollowSettings> = {},
): Promise<FollowOutcome> {
  const sources = followable(workspace.sources(names), names.length > 0);
  const mirrors = new FollowedMirrors(workspace, foldAfterMs(asked));
  const stopKeeping = keepLockedEvery(workspace, foldAfterMs(asked));
  const followed = await Promise.all(
    sources.map((source) => followOne(workspace, source, { settings: settingsOf(source, asked), mirrors })),
  );
  await stopKeeping();
  return { sources: followed, mirrors: await mirrors.stop() };
}

async function followOne(
  workspace: Workspace,
  source: PlanSource,
  { settings, mirrors }: { settings: FollowSettings; mirrors: FollowedMirrors },
): Promise<Followed> {
  try {
    const opened = mirrors.through(await workspace.open(source.repository));
    if (isWatched(source)) return await new FollowedChanges(workspace, source, opened, settings).run();
    return await (await FollowedSource.open(workspace, source, opened, settings)).run();
  } catch (error) {
    return { source: source.name, bytes: 0, gaps: [], error: reportable(error, workspace.environment.signal) };
  }
}

function followable(sources: readonly PlanSource[], wereNamed: boolean): PlanSource[] {
  const followed = sources.filter((source) => hasLog(source) || isWatched(source));
  const other = sources.find((source) => !followed.includes(source));
  if (followed.length > 0 && (!wereNamed || other === undefined)) return followed;
  throw new HoldfastError(
    'bad-usage',
    wereNamed && other !== undefined
      ? `${other.name} has no log that is captured, and is not watched`
      : 'the plan has nothing to follow',
    {
      hint: 'Put `schedule: continuous` into the plan, in a source of files or git, `method: physical` and `wal: stream` in that of a PostgreSQL server, or `stream: true` in that of a Redis server.',
    },
  );
}
