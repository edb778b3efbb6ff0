import { EXIT, type ExitCode } from '../foundation/errors.ts';

/** What each exit code means, for the help of the commands that can end with it. */
export const EXIT_MEANINGS: Record<ExitCode, string> = {
  [EXIT.done]: 'done',
  [EXIT.failed]: 'failed',
  [EXIT.usage]: 'the command or the plan is invalid',
  [EXIT.partial]: 'partial: something could not be read or set; the rest is there',
  [EXIT.missed]: 'it ran, and an objective or a validation was missed',
  [EXIT.noRepository]: 'there is no repository',
  [EXIT.locked]: 'the repository is locked',
  [EXIT.wrongPassword]: 'the password is wrong',
  [EXIT.interrupted]: 'interrupted',
};

/** Those that any command can end with. */
export const COMMON_EXITS: ExitCode[] = [EXIT.done, EXIT.failed, EXIT.usage, EXIT.interrupted];
/** Those of commands that open a repository. */
export const REPOSITORY_EXITS: ExitCode[] = [EXIT.noRepository, EXIT.wrongPassword];
/** Those of commands that also lock it. */
export const LOCKING_EXITS: ExitCode[] = [...REPOSITORY_EXITS, EXIT.locked];
