import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectories } from '../foundation/directories.ts';
import { EXIT, HoldfastError, systemReason } from '../foundation/errors.ts';
import { pauseUntilAborted } from '../foundation/pause.ts';
import type { Workspace } from '../operations/index.ts';
import type { RunState } from '../recovery/index.ts';
import type { Invocation, Outcome } from './command.ts';
import { incidentText } from './incident-text.ts';

const LOOK_EVERY_MS = 200;
/** So long it may take to begin: it looks for a lease, and reads the ledger. */
const BEGINS_WITHIN_MS = 30_000;
const SAID_LINES = 5;

/**
 * Has a process of its own run the steps of an incident that is open, which goes on when this one, its terminal and whoever
 * logged in are gone.
 * @param id may be shortened
 * @returns once it has begun, with where it writes what it says
 * @throws program-failed where it ended before it began; the incident is open still
 */
export async function detachedRun(
  workspace: Workspace,
  { loadPlan, environment }: Pick<Invocation, 'loadPlan' | 'environment'>,
  { id: given, isAlone }: { id: string; isAlone: boolean },
): Promise<Outcome> {
  const { showRun, viewOf, processOf } = await import('../recovery/index.ts');
  const { stateDirectory, clock, signal } = environment;
  const before = await showRun(workspace, given);
  const { id } = before;
  if (stateDirectory === undefined) {
    throw new HoldfastError('bad-usage', 'there is no directory to write what a process behind says', {
      hint: `Set XDG_STATE_HOME, or HOME, to an absolute path. The incident is open: \`holdfast incident resume ${id}\`.`,
    });
  }
  const directory = join(stateDirectory, 'incidents');
  await makeDirectories(directory, 0o700);
  const log = join(directory, `${id}.log`);
  const words = ['--plan', (await loadPlan()).path, '--no-progress', 'incident', 'resume', id];
  const ended = await start([...words, ...(isAlone ? ['--alone'] : [])], log);
  const pause = pauseUntilAborted(signal);
  for (let waitedMs = 0; waitedMs < BEGINS_WITHIN_MS; waitedMs += LOOK_EVERY_MS) {
    const isGone = ended.exit !== undefined;
    const runner = await processOf(workspace, id);
    const state = await showRun(workspace, id);
    const isHolder = typeof runner === 'object' && runner.holder?.pid === ended.pid;
    const isAtIt = isHolder || attemptsOf(state) > attemptsOf(before);
    if (state.ended !== undefined || isAtIt) {
      const view = viewOf(state, clock.nowMs());
      const text = `${incidentText(view)}\n\nIts steps go on in the process ${ended.pid}, which writes to ${log}.\nWatch them with \`holdfast incident show ${id} --follow\`.`;
      return { exit: EXIT.done, json: { ...view, process: ended.pid, log }, text };
    }
    if (isGone) break;
    await pause(LOOK_EVERY_MS);
  }
  const said = (await readFile(log, 'utf8')).trim().split('\n').slice(-SAID_LINES).join('\n');
  const what = ended.exit === undefined ? 'has not begun' : `ended with ${ended.exit} before it began`;
  throw new HoldfastError('program-failed', `the process that was to run the steps of ${id} ${what}: ${said}`, {
    hint: `The incident is open: go on with \`holdfast incident resume ${id}\`. All that the process said is in ${log}.`,
    context: { run: id, log },
  });
}

/** One that began is at it, and so was one that has stopped again, or that no store can tell of. */
function attemptsOf({ steps }: RunState): number {
  return steps.reduce((sum, { attempt }) => sum + attempt, 0);
}

/** Holdfast itself, by its launcher, which sets what its process is to have; in a session of its own. */
async function start(
  words: readonly string[],
  log: string,
): Promise<{ pid: number; exit: number | NodeJS.Signals | undefined }> {
  const file = await open(log, 'a', 0o600);
  try {
    const [, program = ''] = process.argv;
    const child = spawn(program, words, { detached: true, stdio: ['ignore', file.fd, file.fd] });
    const { promise: spawned, resolve, reject } = Promise.withResolvers<void>();
    child.once('spawn', resolve).once('error', (cause) => reject(unstartable(program, cause)));
    await spawned;
    const started: { pid: number; exit: number | NodeJS.Signals | undefined } = { pid: child.pid!, exit: undefined };
    child.once('exit', (status, killed) => {
      started.exit = status ?? killed ?? 'SIGKILL';
    });
    child.unref();
    return started;
  } finally {
    await file.close();
  }
}

function unstartable(program: string, cause: Error): HoldfastError {
  return new HoldfastError('program-failed', `${program} cannot be started: ${systemReason(cause)}`, {
    hint: 'The incident is open: go on with `holdfast incident resume ID`; `holdfast incident list` names it.',
    cause,
  });
}
