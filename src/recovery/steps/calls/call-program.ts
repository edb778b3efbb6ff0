/** Programs that steps run: without a shell, with nothing secret among their arguments, and what they say masked. */
import { constants } from 'node:fs';
import { access, stat, writeFile } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import { lastLines, runProgram } from '../../../foundation/process.ts';
import { shellWord } from '../../../foundation/shell-word.ts';
import { withScratch } from '../../../operations/index.ts';
import type { Outputs } from '../../step.ts';
import type { AnyContext } from '../any-context.ts';
import { answerOutputs } from './answer-outputs.ts';
import { type Mask, maskedError, maskOf } from './masking.ts';
import { describeValue, knownSecrets, resolveValues, unavailableReferences, type Values } from './references.ts';

export interface ProgramCall {
  exec: readonly string[];
  env?: Values | undefined;
  files?: Values | undefined;
  directory?: string | undefined;
}

/** What came of a call. */
export interface Called {
  /** In a sentence. */
  summary: string;
  outputs: Outputs;
}

/** What a program of an administrator expects to find: where things are, and no secret. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];
const OUTPUT_LIMIT_BYTES = 256 * 1024;

/**
 * Runs a program to its end.
 * @throws bad-usage for a secret among its arguments; secret-unavailable; program-missing, program-failed; the signal's reason
 */
export async function callProgram(context: AnyContext, call: ProgramCall): Promise<Called> {
  const { workspace, signal } = context;
  const references = { ...workspace.references, signal };
  const [env, files] = await Promise.all([resolveValues(call.env, references), resolveValues(call.files, references)]);
  const mask = await maskOf(workspace, [...env.secrets, ...files.secrets]);
  refuseSecretWords(call.exec, mask);
  const [program = '', ...words] = call.exec;
  try {
    return await withScratch(async (scratch) => {
      const ran = await runProgram(program, words, {
        environment: { ...inherited(context), ...env.values, ...(await written(files.values, scratch)) },
        workingDirectory: directoryOf(context, call),
        captureLimitBytes: OUTPUT_LIMIT_BYTES,
        signal,
      });
      const outputs = answerOutputs(ran.output, mask);
      return { summary: summaryOf(call, outputs), outputs };
    });
  } catch (error) {
    signal.throwIfAborted();
    throw isHoldfastError(error) ? maskedError(error, mask) : error;
  }
}

function summaryOf({ exec }: ProgramCall, { output }: Outputs): string {
  const last = lastLines(String(output), 1).trim().slice(0, 200);
  return `ran ${exec[0]}, which ended well${last === '' ? '' : ` and said: ${last}`}`;
}

/** The variables of a program: where it is, and which run it belongs to. */
function inherited({ workspace, run, step }: AnyContext): Record<string, string> {
  const { variables } = workspace.environment;
  const kept = INHERITED.flatMap((name) => (variables[name] === undefined ? [] : [[name, variables[name]] as const]));
  return {
    ...Object.fromEntries(kept),
    HOLDFAST_RUN: run.id,
    HOLDFAST_RUN_KIND: run.kind,
    HOLDFAST_RUNBOOK: run.runbook,
    HOLDFAST_STEP: step.id,
    HOLDFAST_SINCE: new Date(run.sinceMs).toISOString(),
  };
}

/** Puts values into files of the directory. @returns the variables that name them */
async function written(files: Record<string, string>, directory: string): Promise<Record<string, string>> {
  const paths = Object.keys(files).map((name) => [name, join(directory, name)] as const);
  for (const [name, path] of paths) await writeFile(path, files[name]!, { mode: 0o600, flag: 'wx' });
  return Object.fromEntries(paths);
}

/** The list of processes shows arguments to everybody. @throws bad-usage */
function refuseSecretWords(words: readonly string[], mask: Mask): void {
  const at = words.findIndex((word) => mask(word) !== word);
  if (at === -1) return;
  throw new HoldfastError(
    'bad-usage',
    `argument ${at} of ${mask(words[0]!)} holds a secret, which everybody could see`,
    {
      hint: 'Give it by `env`, or in a file by `files`, and have the program take it from there.',
    },
  );
}

function directoryOf({ workspace }: AnyContext, { directory = '.' }: ProgramCall): string {
  return resolve(workspace.plan.directory, directory);
}

/** What would keep a program from being run, as far as that can be seen without running it. */
export async function programObstacles(context: AnyContext, call: ProgramCall): Promise<string[]> {
  const { workspace } = context;
  const directory = directoryOf(context, call);
  const given = [...Object.values({ ...call.env }), ...Object.values({ ...call.files })];
  const obstacles = await unavailableReferences(workspace, given);
  const mask = await maskOf(workspace, await knownSecrets(workspace, given));
  try {
    refuseSecretWords(call.exec, mask);
  } catch (error) {
    obstacles.push((error as HoldfastError).message);
  }
  const isDirectory = await stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isDirectory && !directory.includes('${')) obstacles.push(`there is no directory ${directory}`);
  const [program = ''] = call.exec;
  if (!program.includes('${') && !(await isExecutable(program, directory, workspace.environment.variables['PATH'])))
    obstacles.push(`there is no program ${program} that may be run`);
  return obstacles;
}

async function isExecutable(program: string, directory: string, path = ''): Promise<boolean> {
  const places = program.includes('/')
    ? [isAbsolute(program) ? program : join(directory, program)]
    : path.split(delimiter).map((each) => join(each, program));
  for (const place of places) {
    const found = await Promise.allSettled([access(place, constants.X_OK), stat(place)]);
    if (found[0].status === 'fulfilled' && found[1].status === 'fulfilled' && found[1].value.isFile()) return true;
  }
  return false;
}

/** The call as a line of a shell. Secrets stand in it as where they come from. */
export function programByHand(context: AnyContext, call: ProgramCall): string[] {
  const env = Object.entries({ ...call.env }).map(([name, value]) => `${name}=${describeValue(value)}`);
  const files = Object.entries({ ...call.files }).map(
    ([name, value]) => `${name}=FILE, where FILE is readable by you alone and holds ${describeValue(value)}`,
  );
  const line = [...env, ...call.exec.map(shellWord)].join(' ');
  return [...files.map((each) => `# ${each}`), `cd ${shellWord(directoryOf(context, call))}`, line];
}
