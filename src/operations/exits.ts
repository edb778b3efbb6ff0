/** What operations on several things end with. */

import { EXIT, type ExitCode, type HoldfastError } from '../foundation/errors.ts';
import type { SourceOutcome } from './backup/backup.ts';
import type { Followed } from './follow/followed-source.ts';
import type { Replicated } from './replicate/replicate-all.ts';

/** What a backup of several sources ends with: a failure outweighs a partial one, and that a complete one. */
export function backupExit(outcomes: readonly SourceOutcome[]): ExitCode {
  const failed = outcomes.filter((outcome) => outcome.outcome === 'failed');
  const exits = new Set(failed.map(({ error }) => error.exitCode));
  // When everything failed of one cause (a wrong password, say), that cause has its own exit code.
  if (failed.length === outcomes.length && exits.size === 1) return [...exits][0]!;
  if (exits.has(EXIT.interrupted)) return EXIT.interrupted;
  if (failed.length > 0) return EXIT.failed;
  return outcomes.some(({ outcome }) => outcome === 'partial') ? EXIT.partial : EXIT.done;
}

/** What following ends with: somebody interrupted it, unless it ended by itself. */
export function followExit(outcomes: readonly Followed[]): ExitCode {
  const failed = outcomes.flatMap(({ error }) => (error === undefined ? [] : [error]));
  const exits = new Set(failed.map(({ exitCode }) => exitCode));
  if (failed.length === outcomes.length && exits.size === 1) return [...exits][0]!;
  return failed.length > 0 ? EXIT.failed : EXIT.interrupted;
}

/** What mirroring ends with: partial where some mirrors are behind; where all are, what kept them from it. */
export function replicateExit(
  outcomes: readonly ({ outcome: 'complete' } | { outcome: 'failed'; error: HoldfastError })[],
): ExitCode {
  const failures = outcomes.flatMap((each) => (each.outcome === 'failed' ? [each.error.exitCode] : []));
  if (failures.length === 0) return EXIT.done;
  if (failures.includes(EXIT.interrupted)) return EXIT.interrupted;
  if (failures.length < outcomes.length) return EXIT.partial;
  return new Set(failures).size === 1 ? failures[0]! : EXIT.failed;
}

/** What it ends with: partial where some copies were not made; where none was, what kept them from it. */
export function replicateAllExit({ mirrors, archives }: Replicated): ExitCode {
  const copies = archives.flatMap(({ sources, error }) => [
    ...(error === undefined ? [] : [{ outcome: 'failed' as const, error }]),
    ...sources.flatMap((each) => {
      if (each.outcome === 'not-due') return [];
      return [each.outcome === 'failed' ? each : { outcome: 'complete' as const }];
    }),
  ]);
  return mirrors.length + copies.length === 0 ? EXIT.done : replicateExit([...mirrors, ...copies]);
}
