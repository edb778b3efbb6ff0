import type { ExitCode } from '../foundation/errors.ts';
import type { Environment, Workspace } from '../operations/index.ts';
import type { LoadedPlan } from '../plan/index.ts';

/** One command of the command line: what its help says, and what it does. */
export interface CommandDefinition {
  /** One word, or two (`plan check`). */
  name: string;
  /** In commander's notation: `[source...]`. */
  arguments?: string;
  /** One line, beginning with a verb, lower case. */
  summary: string;
  /** More of it, for the command's own help. */
  description?: string;
  options?: OptionDefinition[];
  examples: { command: string; does: string }[];
  /** The exit codes that it can end with, beside those that every command has. */
  exits: ExitCode[];
  /** Whether it writes to a repository, if only a lock. */
  writes: boolean;
  /** Whether it changes what a repository holds: then the mirrors of those that it opened are brought up to date after it. */
  isMirrored?: boolean;
  run(invocation: Invocation): Promise<Outcome>;
}

export interface OptionDefinition {
  /** In commander's notation: `--at <time>`. */
  flags: string;
  description: string;
  choices?: string[];
  /** It may be given several times, with one value each, and is a list then. */
  repeats?: boolean;
}

/** What a command gets. */
export interface Invocation {
  /** Arguments in order; a variadic one is a list. */
  arguments: readonly (string | string[] | undefined)[];
  options: Readonly<Record<string, string | string[] | boolean | undefined>>;
  environment: Environment;
  /** The working directory. */
  directory: string;
  /** Tells a person what happens now, on standard error. */
  tell(line: string): void;
  /** On a terminal, shows lines that are drawn anew all the time, until the command ends. */
  panel(lines: () => readonly string[]): void;
  /** @throws plan-not-found, plan-invalid */
  loadPlan(): Promise<LoadedPlan>;
  /** Runs the daemon until the environment's signal is aborted. @throws what keeps it from running */
  serve: ServeCommand;
  /** Has SIGHUP call a function from then on, where it would else end the command. */
  onHangup(listener: () => void): void;
  /** The plan at work. Its warnings are for `plan check` to tell. @throws as `loadPlan` */
  workspace(): Promise<Workspace>;
}

/** The daemon, which the command line is given: neither knows the other. */
export type ServeCommand = (request: {
  environment: Environment;
  loadPlan(): Promise<LoadedPlan>;
  isFollowing: boolean;
  isTakingOver: boolean;
  /** How the API is served: addresses and files as they were given. Without it, it is not. */
  api?: { listen?: string; tlsCert?: string; tlsKey?: string; insecure: boolean; publicUrl?: string };
  logFormat: 'json' | 'text';
  onReload(reload: () => void): void;
}) => Promise<{ started: string; stopped: string }>;

/** What a command ends with. Just one of the two forms is printed. */
export interface Outcome {
  exit: ExitCode;
  /** The one document of `--json`. */
  json: unknown;
  /** For people; without a newline at its end. */
  text: string;
}
