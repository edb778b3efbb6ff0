import { HoldfastError } from '../foundation/errors.ts';
import { reportable, type Workspace } from './workspace.ts';

/** What came of work on each of several things, in their order. */
export interface EachAttempted<Of, Result> {
  results: Result[];
  /** Those of which nothing came, and why. Who leaves them out reports a part as the whole. */
  failures: { of: Of; error: HoldfastError }[];
}

/** A repository that a command could do nothing with, while it went on with the others. */
export interface RepositoryFailure {
  repository: string;
  error: HoldfastError;
}

/** What came of work on each of several repositories. */
export interface OfRepositories<Result> {
  repositories: Result[];
  failures: RepositoryFailure[];
}

interface AttemptOptions {
  /** Whether all are worked on at the same time; else one after the other. */
  sideBySide?: boolean;
}

/**
 * Does work for each. One that fails stops no other.
 * @throws what kept all of them from it, where that is of one kind: that there is no repository, say. What an abort threw
 */
export async function attemptEach<Of, Result>(
  { environment: { signal } }: Workspace,
  all: Iterable<Of>,
  work: (of: Of) => Promise<Result>,
  { sideBySide = false }: AttemptOptions = {},
): Promise<EachAttempted<Of, Result>> {
  const attempt = async (of: Of): Promise<{ result: Result } | { of: Of; error: HoldfastError }> => {
    try {
      return { result: await work(of) };
    } catch (error) {
      if (signal.aborted) throw error;
      return { of, error: reportable(error, signal) };
    }
  };
  const attempts = sideBySide ? await Promise.all([...all].map(attempt)) : await inTurn(all, attempt);
  const results = attempts.flatMap((each) => ('result' in each ? [each.result] : []));
  const failures = attempts.flatMap((each) => ('result' in each ? [] : [each]));
  if (results.length === 0) throwCommon(failures.map(({ error }) => error));
  return { results, failures };
}

/** The same of repositories, by their names. @throws see `attemptEach` */
export async function eachRepository<Result>(
  workspace: Workspace,
  names: Iterable<string>,
  work: (name: string) => Promise<Result>,
  options?: AttemptOptions,
): Promise<OfRepositories<Result>> {
  const { results, failures } = await attemptEach(workspace, names, work, options);
  return { repositories: results, failures: failures.map(({ of, error }) => ({ repository: of, error })) };
}

/** For who needs all of them or none. @throws the first failure */
export function refuseFailures(failures: readonly RepositoryFailure[]): void {
  const [first] = failures;
  if (first !== undefined) throw first.error;
}

async function inTurn<Of, Made>(all: Iterable<Of>, make: (of: Of) => Promise<Made>): Promise<Made[]> {
  const made: Made[] = [];
  for (const each of all) made.push(await make(each));
  return made;
}

function throwCommon(errors: readonly HoldfastError[]): void {
  const [first] = errors;
  if (first === undefined || errors.some(({ code }) => code !== first.code)) return;
  const messages = [...new Set(errors.map(({ message }) => message))];
  if (messages.length === 1) throw first;
  const { code, hint, context } = first;
  throw new HoldfastError(code, messages.join('; '), { ...(hint !== undefined && { hint }), context });
}
