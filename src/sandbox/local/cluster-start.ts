import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { messageOf } from '../../foundation/errors.ts';
import { settled } from '../../foundation/promises.ts';
import { clusterFailed, serverFailed } from './cluster-errors.ts';
import { type ClusterPlace, databaseUrl, type StopManner, superviseHere } from './cluster-place.ts';
import { settingArguments } from './cluster-settings.ts';
import type { ProgramEnd, SupervisedProgram } from './supervised-program.ts';

const POLL_INTERVAL_MS = 25;

const INITDB_STOP: StopManner = { stopSignal: 'TERM', graceSeconds: 2 };
/** An immediate shutdown ends by force after 5 s what does not end by itself. */
const IMMEDIATE_STOP: StopManner = { stopSignal: 'QUIT', graceSeconds: 7 };
/** A fast shutdown waits for a checkpoint. */
const FAST_STOP: StopManner = { stopSignal: 'INT', graceSeconds: 300 };

/**
 * Makes the data directory.
 * @throws sandbox-failed with what initdb said; the reason of the start's signal
 */
export async function initialiseCluster(place: ClusterPlace): Promise<void> {
  const initdb = await superviseHere(place, INITDB_STOP, [
    place.programs.path('initdb'),
    `--pgdata=${place.dataDirectory}`,
    `--username=${place.superuser}`,
    // Who can reach the socket has passed the directory's mode.
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--no-sync',
    '--no-instructions',
    // The guard cleans up, and a full disk is recognised as long as it is full.
    '--no-clean',
  ]);
  const end = await endInTime(place, initdb);
  if (end === undefined) throw clusterFailed(place, `initdb did not end within ${timeoutText(place)}`, '');
  if (end.status !== 0) throw clusterFailed(place, `initdb ended with exit status ${end.status}`, end.said);
}

/**
 * Starts the server on the data directory, and waits until it accepts connections.
 * @throws sandbox-failed with the end of its log; the reason of the start's signal. The server has ended then.
 */
export async function startServer(place: ClusterPlace): Promise<SupervisedProgram> {
  const throwaway = place.options.throwaway ?? true;
  const settings = settingArguments(place.directory.path, throwaway, place.options.settings);
  return startServerWith(place, settings);
}

/**
 * The same with these arguments alone, where the data directory has its settings itself.
 * @throws as `startServer`
 */
export async function startServerWith(place: ClusterPlace, settings: readonly string[]): Promise<SupervisedProgram> {
  const throwaway = place.options.throwaway ?? true;
  const server = await superviseHere(
    place,
    throwaway ? IMMEDIATE_STOP : FAST_STOP,
    [place.programs.path('postgres'), '-D', place.dataDirectory, ...settings],
    place.logPath,
  );
  try {
    await untilAccepting(place, server);
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The end of a program; undefined when the time was up, and it was stopped. */
export async function endInTime(place: ClusterPlace, program: SupervisedProgram): Promise<ProgramEnd | undefined> {
  const { clock, signal } = place.options;
  const stopWaiting = new AbortController();
  const patience = signal === undefined ? stopWaiting.signal : AbortSignal.any([signal, stopWaiting.signal]);
  const remainingMs = Math.max(0, place.deadlineMs - clock.monotonicMs());
  // Rejected when it is no longer waited for, which is no error.
  const timeUp = settled(delay(remainingMs, undefined, { signal: patience })).then(() => undefined);
  try {
    const end = await Promise.race([program.ended, timeUp]);
    signal?.throwIfAborted();
    return end;
  } finally {
    stopWaiting.abort();
    await program.stop();
  }
}

async function untilAccepting(place: ClusterPlace, server: SupervisedProgram): Promise<void> {
  const { clock, signal } = place.options;
  const url = databaseUrl(place, place.database);
  let end: ProgramEnd | undefined;
  void server.ended.then((value) => {
    end = value;
  });
  for (;;) {
    signal?.throwIfAborted();
    const problem = await connectionProblem(url);
    if (problem === undefined) return;
    if (end !== undefined) throw await serverFailed(place, `ended with exit status ${end.status}`, end, problem);
    if (place.isRestored && isFinal(problem)) {
      throw await serverFailed(place, `refused a connection: ${messageOf(problem)}`, end, problem);
    }
    if (clock.monotonicMs() > place.deadlineMs) {
      throw await serverFailed(place, `did not accept connections within ${timeoutText(place)}`, end, problem);
    }
    await delay(POLL_INTERVAL_MS);
  }
}

/** SQLSTATE of a server that starts, or recovers. */
const NOT_YET = '57P03';

/** Whether a server answered, and will not answer otherwise after a while. */
function isFinal(problem: unknown): boolean {
  const { code, severity } = problem as { code?: unknown; severity?: unknown };
  return typeof severity === 'string' && code !== NOT_YET;
}

/** Why a connection is not to be had, if it is not. */
async function connectionProblem(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  // A connection that breaks after it was refused would otherwise end this process.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.end();
    return undefined;
  } catch (error) {
    return error ?? new Error('the connection failed');
  }
}

function timeoutText(place: ClusterPlace): string {
  return `${place.startTimeoutMs / 1000} s`;
}
