import type { HoldfastError } from '../foundation/errors.ts';
import type { RepositoryFailure } from '../operations/index.ts';
import { errorDetails, indent } from './errors.ts';
import { bad, oneLine } from './text.ts';

/** What kept a command from one of several things that it went on without: what happened, and what to do next. */
export function failureText(name: string, error: HoldfastError): string {
  return [oneLine`${bad('failed')}  ${name}: ${error.message}`, ...errorDetails(error).map(indent)].join('\n');
}

/** The same of repositories. */
export function failureLines(failures: readonly RepositoryFailure[]): string[] {
  return failures.map(({ repository, error }) => failureText(repository, error));
}

/** What the help of every command says that goes on without a repository. */
export const GOES_ON =
  'A repository that cannot be read, as one that is away, is named and stops no other, and makes the exit code 1.';

/** The same of those that remove something. */
export const RESTS =
  'While the first of the plan cannot be read, nobody can tell whether an incident is open: nothing is removed elsewhere then, and --dry-run still says what would be.';
