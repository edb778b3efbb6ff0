import { Command, CommanderError, Option } from 'commander';
import { systemClock } from '../foundation/clock.ts';
import { errorJson, jsonValue } from '../foundation/error-json.ts';
import { EXIT, type ExitCode, HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { awaitedLater } from '../foundation/promises.ts';
import { userCacheDirectory } from '../foundation/user-cache.ts';
import { userStateDirectory } from '../foundation/user-state.ts';
import type { Adapters, Environment, Workspace } from '../operations/index.ts';
import type { LoadedPlan } from '../plan/index.ts';
import type { CommandDefinition, Invocation, Outcome, ServeCommand } from './command.ts';
import { errorText } from './errors.ts';
import { COMMON_EXITS, EXIT_MEANINGS } from './exit-codes.ts';
import { KeyAhead } from './key-ahead.ts';
import { describeLocks } from './lock-text.ts';
import { describeMirror } from './mirror-text.ts';
import { ProgressDisplay } from './progress.ts';
import { allCommands, commandsBeginningWith, GROUPS } from './registry.ts';
import { printable } from './text.ts';

/** What the command line is given by the composition root. */
export interface CommandLine {
  adapters: Adapters;
  version: string;
  serve: ServeCommand;
  /** Without the program and the script. */
  arguments: readonly string[];
}

interface GlobalOptions {
  /** Of the commands that have it. */
  asOf?: string;
  plan?: string;
  json?: boolean;
  progress?: boolean;
}

/** Runs one command. Resolves to the exit code, once everything is printed. */
export async function runCommandLine(line: CommandLine): Promise<ExitCode> {
  const json = line.arguments.includes('--json');
  const keyAhead = new KeyAhead(line.arguments.slice(0, commandAt(line.arguments) + 2), process.env);
  keyAhead.begin(process.env);
  const interruption = listenForInterruption();
  let exit: ExitCode = EXIT.done;
  try {
    const program = buildProgram(line, await commandsFor(line.arguments), async (definition, values) => {
      exit = await runCommand(line, definition, { ...values, ...interruption, keyAhead });
    });
    await program.parseAsync(line.arguments as string[], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return commanderExit(error, json);
    return report(error, { json, signal: interruption.signal });
  } finally {
    interruption.stop();
  }
}

/** How many words the options take that may stand before the command. */
const WORDS_OF_OPTION: ReadonlyMap<string, number> = new Map([
  ['--plan', 2],
  ['--json', 1],
  ['--no-progress', 1],
]);

function commandAt(words: readonly string[]): number {
  let at = 0;
  while (WORDS_OF_OPTION.has(words[at] ?? '')) at += WORDS_OF_OPTION.get(words[at]!)!;
  return at;
}

/** The commands that the arguments can mean: all, where their first word does not tell, as for the help. */
async function commandsFor(words: readonly string[]): Promise<CommandDefinition[]> {
  const first = words[commandAt(words)] ?? '';
  if (first === '--version' || first === '-V') return [];
  const named = await commandsBeginningWith(first);
  return named.length > 0 ? named : allCommands();
}

type RunValues = { arguments: Invocation['arguments']; options: Invocation['options'] & GlobalOptions };

/** The help that was asked for, once it is with the reader. */
let helped: Promise<void> = Promise.resolve();

/** Errors are reported as all others are, and a help is printed as all else is. */
const OUTPUT = {
  outputError: () => {},
  writeOut: (text: string) => {
    helped = awaitedLater(print(text.replace(/\n$/, '')));
  },
};

function buildProgram(
  line: CommandLine,
  definitions: readonly CommandDefinition[],
  run: (definition: CommandDefinition, values: RunValues) => Promise<void>,
): Command {
  const program = new Command('holdfast')
    .description(
      'Disaster recovery that runs: backs up what the plan names, proves that it comes back, and recovers it.',
    )
    .version(line.version)
    .option('--plan <file>', 'the plan; else holdfast.yaml here or in a parent directory, or HOLDFAST_PLAN')
    .option('--json', 'print one JSON document to standard output')
    .option('--no-progress', 'show no progress')
    .exitOverride()
    .configureOutput(OUTPUT)
    .showSuggestionAfterError(true)
    .addHelpText(
      'after',
      `\nStart with:\n  holdfast demo         the whole story, in about a minute\n  holdfast plan check   is my plan right?\n`,
    );
  const groups = new Map<string, Command>();
  for (const definition of definitions) {
    const [first = '', second] = definition.name.split(' ');
    let parent = program;
    if (second !== undefined) {
      parent =
        groups.get(first) ??
        program
          .command(first)
          .description(GROUPS[first] ?? '')
          .exitOverride()
          .configureOutput(OUTPUT);
      groups.set(first, parent);
    }
    const command = addCommand(parent, definition, second ?? first, run);
    // Commands of two words that come behind are below it: `kit check` below `kit`.
    if (second === undefined) groups.set(first, command);
  }
  return program;
}

function addCommand(
  parent: Command,
  definition: CommandDefinition,
  name: string,
  run: (definition: CommandDefinition, values: RunValues) => Promise<void>,
): Command {
  const command = parent.command(`${name} ${definition.arguments ?? ''}`.trim()).summary(definition.summary);
  command.description(
    definition.description ?? `${definition.summary[0]!.toUpperCase()}${definition.summary.slice(1)}.`,
  );
  command.exitOverride().configureOutput(OUTPUT);
  for (const { flags, description, choices, repeats } of definition.options ?? []) {
    const option = new Option(flags, description);
    if (repeats) option.argParser((value: string, before: string[] = []) => [...before, value]);
    command.addOption(choices === undefined ? option : option.choices(choices));
  }
  command.addHelpText('after', () => helpTail(definition));
  command.action(async (...values: unknown[]) => {
    const self = values.at(-1) as Command;
    await run(definition, {
      arguments: values.slice(0, -2) as Invocation['arguments'],
      options: self.optsWithGlobals(),
    });
  });
  return command;
}

function helpTail({ examples, exits }: CommandDefinition): string {
  const shown = examples.map(({ command, does }) => `  ${command}\n      ${does}`).join('\n');
  const codes = [...new Set([...COMMON_EXITS, ...exits])].sort((a, b) => a - b);
  const meanings = codes.map((code) => `  ${String(code).padStart(3)}  ${EXIT_MEANINGS[code]}`).join('\n');
  return `\nExamples:\n${shown}\n\nExit codes:\n${meanings}\n`;
}

async function runCommand(
  line: CommandLine,
  definition: CommandDefinition,
  values: RunValues & Pick<Interruption, 'signal' | 'onHangup' | 'onInterrupted'> & { keyAhead: KeyAhead },
): Promise<ExitCode> {
  const { options, signal } = values;
  const json = options.json === true;
  const display = new ProgressDisplay(process.stderr, options.progress !== false);
  values.onInterrupted((text) => display.printTyped(text));
  const cacheDirectory = userCacheDirectory(process.env);
  const stateDirectory = userStateDirectory(process.env);
  const environment: Environment = {
    clock: systemClock,
    variables: process.env,
    version: line.version,
    signal,
    progress: (label) => display.task(label),
    adapters: line.adapters,
    requests: new Map(),
    onKeyDerived: (password, derived) => void values.keyAhead.note(password, derived),
    ...(stateDirectory !== undefined && { stateDirectory }),
    ...(cacheDirectory !== undefined && { cacheDirectory }),
  };
  try {
    const loaders = planLoaders(options, environment);
    const outcome = await definition.run({
      ...values,
      environment,
      directory: process.cwd(),
      tell: (text) => display.print(text),
      panel: (lines) => display.panel(lines),
      serve: line.serve,
      ...loaders,
    });
    if (definition.isMirrored === true && options['dryRun'] !== true) {
      await addLocks(outcome, loaders.loaded());
      await addMirrors(outcome, loaders.loaded());
    }
    display.stop();
    const requests = await requestsOf(environment);
    if (requests !== undefined && options.progress !== false) display.print(requests.text);
    const document = requests === undefined ? outcome.json : { ...(outcome.json as object), requests: requests.json };
    await print(json ? JSON.stringify(document, jsonValue, 2) : printable(outcome.text));
    return outcome.exit;
  } catch (error) {
    display.stop();
    return report(error, { json, signal });
  }
}

/** Has locks extended that are due, and adds what came of it: what went wrong makes what was done partial. */
async function addLocks(outcome: Outcome, workspace: Workspace | undefined): Promise<void> {
  if (workspace === undefined || workspace.environment.signal.aborted) return;
  const { repositories, mirrors } = workspace.plan;
  if ([...repositories.values(), ...mirrors.values()].every(({ lock }) => lock === undefined)) return;
  const operations = await import('../operations/index.ts');
  const locks = await operations.keepLocked(workspace);
  if (locks.length === 0) return;
  outcome.json = { ...(outcome.json as object), locks };
  outcome.text = [outcome.text, ...locks.flatMap(describeLocks)].join('\n');
  if (outcome.exit === EXIT.done && locks.some(({ error }) => error !== undefined)) outcome.exit = EXIT.partial;
}

/** Has the mirrors follow, and adds what came of it: one that did not makes what was done partial, and undoes nothing. */
async function addMirrors(outcome: Outcome, workspace: Workspace | undefined): Promise<void> {
  if (workspace === undefined || workspace.environment.signal.aborted || workspace.plan.mirrors.size === 0) return;
  const operations = await import('../operations/index.ts');
  const mirrors = await operations.replicateOpened(workspace);
  if (mirrors.length === 0) return;
  outcome.json = { ...(outcome.json as object), mirrors };
  outcome.text = [outcome.text, ...mirrors.map(describeMirror)].join('\n');
  const exit = operations.replicateExit(mirrors);
  if (outcome.exit === EXIT.done && exit !== EXIT.done) {
    outcome.exit = exit === EXIT.interrupted ? exit : EXIT.partial;
  }
}

/** What was asked of stores that are not directories of this machine; undefined where nothing was. */
async function requestsOf({ requests = new Map() }: Environment): Promise<{ json: object; text: string } | undefined> {
  if (requests.size === 0) return undefined;
  const [{ requestsByRepository }, { describeRequests }] = await Promise.all([
    import('../operations/index.ts'),
    import('./requests.ts'),
  ]);
  const json = requestsByRepository(requests);
  return { json, text: describeRequests(json) };
}

function planLoaders(
  { plan, asOf }: GlobalOptions,
  environment: Environment,
): Pick<Invocation, 'loadPlan' | 'workspace'> & { loaded: () => Workspace | undefined } {
  const loadPlan = async (): Promise<LoadedPlan> => {
    const planLayer = await import('../plan/index.ts');
    return planLayer.loadPlan({
      ...(plan !== undefined && { path: plan }),
      cwd: process.cwd(),
      env: environment.variables,
    });
  };
  let made: Workspace | undefined;
  const workspace: Invocation['workspace'] = async () => {
    const [loaded, { Workspace: Made, parseMoment }] = await Promise.all([
      loadPlan(),
      import('../operations/index.ts'),
    ]);
    const asOfMs = asOf === undefined ? undefined : parseMoment(asOf, environment.clock.nowMs());
    made = new Made(loaded, { ...environment, ...(asOfMs !== undefined && { asOfMs }) });
    return made;
  };
  return { loadPlan, workspace, loaded: () => made };
}

async function report(thrown: unknown, { json, signal }: { json: boolean; signal: AbortSignal }): Promise<ExitCode> {
  const error = await reportableError(thrown, signal);
  process.stderr.write(`${printable(errorText(error, Boolean(process.env['HOLDFAST_DEBUG'])))}\n`);
  if (json && error.code !== 'output-failed') await print(JSON.stringify({ error: errorJson(error) }, undefined, 2));
  return error.exitCode;
}

async function reportableError(thrown: unknown, signal: AbortSignal): Promise<HoldfastError> {
  if (isHoldfastError(thrown) && !signal.aborted) return thrown;
  const { reportable } = await import('../operations/index.ts');
  return reportable(thrown, signal);
}

async function commanderExit(error: CommanderError, json: boolean): Promise<ExitCode> {
  if (error.exitCode === 0) {
    try {
      await helped;
      return EXIT.done;
    } catch (unprinted) {
      return report(unprinted, { json, signal: new AbortController().signal });
    }
  }
  // Commander shows the help of a bare `holdfast` as an error of its own.
  if (error.code === 'commander.help') return EXIT.usage;
  const message = error.message.replace(/^error: /, '').replace(/\.$/, '');
  const hint = 'See `holdfast --help`, or `holdfast COMMAND --help`.';
  return report(new HoldfastError('bad-usage', message, { hint }), { json, signal: new AbortController().signal });
}

/** Resolves once the text is with the reader, so that the process may end. */
function print(text: string): Promise<void> {
  const { stdout } = process;
  return new Promise((resolve, reject) => {
    const end = (error?: NodeJS.ErrnoException | null): void => {
      // Whoever reads may stop reading (`holdfast ls … | head`): that is no failure.
      if (error && error.code !== 'EPIPE') reject(unprintable(error));
      else resolve();
    };
    stdout.on('error', end);
    // What the callback is told is emitted behind it as well.
    stdout.write(text === '' ? '' : `${text}\n`, (error) =>
      setImmediate(() => {
        stdout.off('error', end);
        end(error);
      }),
    );
  });
}

function unprintable(cause: Error): HoldfastError {
  return new HoldfastError('output-failed', `the result could not be printed: ${cause.message}`, {
    hint: 'What the command was to do is done all the same, unless it says otherwise above. See what there is with `holdfast status`.',
    cause,
  });
}

interface Interruption {
  signal: AbortSignal;
  /** Has what a person is told of it said by a function, instead of at once on standard error. */
  onInterrupted(tell: (text: string) => void): void;
  /** Has SIGHUP call a function, instead of ending the work. */
  onHangup(listener: () => void): void;
  stop(): void;
}

/** The first signal ends the work in good order; the second ends the process. */
function listenForInterruption(): Interruption {
  const controller = new AbortController();
  let told = (text: string): void => void process.stderr.write(`\n${text}\n`);
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    told('holdfast: ending in good order; once more to end at once');
    controller.abort(new HoldfastError('interrupted', 'interrupted'));
  };
  let hungUp = interrupt;
  const hangUp = (): void => hungUp();
  const listeners = { SIGINT: interrupt, SIGTERM: interrupt, SIGHUP: hangUp };
  for (const [signal, listener] of Object.entries(listeners)) process.on(signal, listener);
  return {
    signal: controller.signal,
    onInterrupted: (tell) => {
      told = tell;
    },
    onHangup: (listener) => {
      hungUp = listener;
    },
    stop: () => {
      for (const [signal, listener] of Object.entries(listeners)) process.off(signal, listener);
    },
  };
}
