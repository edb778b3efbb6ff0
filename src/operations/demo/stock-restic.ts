import { isHoldfastError } from '../../foundation/errors.ts';
import { runProgram } from '../../foundation/process.ts';
import type { DemoWorld } from './world.ts';

/** What stock restic says of the repository. */
export interface SeenByRestic {
  version: string;
  /** As `restic snapshots` prints them. */
  snapshots: string;
  /** The last line of `restic check`. */
  check: string;
}

/** Looks at the repository with the restic of this machine; undefined where there is none. */
export async function seeWithRestic(
  world: DemoWorld,
  path: string,
  signal: AbortSignal,
): Promise<SeenByRestic | undefined> {
  const environment = { PATH: path, RESTIC_REPOSITORY: world.repository, RESTIC_PASSWORD_FILE: world.passwordFile };
  const restic = async (...words: string[]): Promise<string> => {
    const { output } = await runProgram('restic', words, { environment, signal, timeoutMs: 60_000 });
    return output.trim();
  };
  try {
    const version = (await restic('version')).split(' ').slice(0, 2).join(' ');
    const snapshots = await restic('snapshots', '--no-cache', '--compact');
    const check = (await restic('check', '--no-cache')).split('\n').at(-1) ?? '';
    return { version, snapshots, check };
  } catch (error) {
    if (isHoldfastError(error, 'program-missing')) return undefined;
    throw error;
  }
}
