/** Programs of drills: in namespaces of their own, where the living is not. */
import { isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isHoldfastError, messageOf } from '../../foundation/errors.ts';
import { type ProgramResult, runProgram } from '../../foundation/process.ts';
import { withScratch } from '../../operations/index.ts';

export interface IsolatedProgram {
  /** The program and its arguments. */
  command: readonly string[];
  /** All variables but where programs are found; nothing is inherited. */
  environment: Readonly<Record<string, string>>;
  /** The plan's directory, which is empty there but for the program itself. */
  hidden: string;
  /** Directories that the program may write to, and sockets of servers that it may talk to. */
  copies: readonly string[];
  signal: AbortSignal;
}

const SCRIPT = fileURLToPath(new URL('./isolate-program.sh', import.meta.url));
const OUTPUT_LIMIT_BYTES = 256 * 1024;
const OWN_VARIABLES = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  ...{ HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8' },
};

/**
 * Runs a program to its end, where it reaches no network, no other process, and no file but the system's programs and the
 * copies. It ends with this process, by SIGKILL too.
 * @throws program-missing, program-failed; the signal's reason
 */
export async function runIsolated({
  command,
  environment,
  hidden,
  copies,
  signal,
}: IsolatedProgram): Promise<ProgramResult> {
  const [program = ''] = command;
  return withScratch((root) =>
    runProgram(
      'setpriv',
      [...namespaces(), '/bin/sh', SCRIPT, root, hidden, copies.join('\n'), fileOf(program, hidden), ...command],
      {
        environment: { ...environment, ...OWN_VARIABLES },
        captureLimitBytes: OUTPUT_LIMIT_BYTES,
        label: program,
        signal,
      },
    ),
  );
}

/** The signal of a parent's death ends the outermost, whose end ends the first process inside, and with it all of them. */
function namespaces(): string[] {
  // Who is no administrator is one inside, of nothing but his own files. An administrator must not be: what he then sees belongs to nobody.
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  return [
    '--pdeathsig',
    'KILL',
    '--',
    'unshare',
    ...user,
    '--net',
    '--mount',
    '--pid',
    '--ipc',
    '--uts',
    '--fork',
    '--kill-child',
  ];
}

/** The program, where it is a file of the plan's directory: it alone of all files there comes along. */
function fileOf(program: string, directory: string): string {
  if (!program.includes('/')) return '';
  const path = resolve(directory, program);
  const inside = relative(directory, path);
  return inside.startsWith('..') || isAbsolute(inside) ? '' : join(directory, inside);
}

/** Why this machine lets no program be isolated; undefined where it does. @throws the signal's reason */
export async function isolationProblem(signal: AbortSignal): Promise<string | undefined> {
  try {
    const command = ['sh', '-c', 'test "$(wc -l </proc/net/dev)" = 3'];
    await runIsolated({ command, environment: {}, hidden: '/nothing', copies: [], signal });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    return messageOf(error);
  }
}
