import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { type ProgramOptions, type ProgramResult, runProgram } from '../../foundation/process.ts';
import { shellWord } from '../../foundation/shell-word.ts';
import type { GitAddress } from '../../plan/index.ts';

/** What a repository asks for, resolved. */
export type ResolvedCredentials = { username?: string; password: string } | { key: string; knownHosts?: string };

export interface GitContext {
  /** A directory of mode 0700 for what git is configured with; it is gone after the run. */
  scratchDirectory: string;
  /** Variables of Holdfast's own environment, of which git gets those that it needs to reach a server. */
  variables: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
}

/** Variables that lead to a server, or say which servers to trust. None of them names a program. */
const PASSED_ON = [
  ...['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'no_proxy', 'NO_PROXY', 'all_proxy', 'ALL_PROXY'],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO', 'GIT_SSL_CAPATH', 'SSH_AUTH_SOCK', 'TMPDIR'],
];

/** What holds in every repository that git is run in, whatever its own configuration says. */
const SETTINGS: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.logAllRefUpdates', 'false'],
  ['core.commitGraph', 'false'],
  ['core.multiPackIndex', 'false'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['fetch.unpackLimit', '1'],
  ['fetch.writeCommitGraph', 'false'],
  // What git has read before is what it has to read again: a mirror is not the place to refuse an old mistake.
  ['fetch.fsckObjects', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  // None of the machine's own helpers: they might ask a person.
  ['credential.helper', ''],
];

/** The first version that takes settings from the environment, and folds packs by their sizes. */
const OLDEST = [2, 32] as const;

/** Prints what its environment holds, where it is asked for it. */
const CREDENTIAL_HELPER =
  '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$HOLDFAST_GIT_USERNAME" "$HOLDFAST_GIT_PASSWORD"; }; f';

/**
 * Runs stock git on its own configuration alone, with no helper, hook or prompt, and with no way to fetch but those that
 * read. Secrets come by the environment, or by a file that only this user reads, and never by arguments.
 */
export class Git {
  readonly #environment: Record<string, string>;
  readonly #secrets: string[];
  readonly #signal: AbortSignal;

  private constructor(environment: Record<string, string>, secrets: string[], signal: AbortSignal) {
    this.#environment = environment;
    this.#secrets = secrets;
    this.#signal = signal;
  }

  /** @param address what is fetched from, with what it asks for; without, nothing distant is reached */
  static async prepare(
    { scratchDirectory, variables, signal }: GitContext,
    address?: GitAddress,
    credentials?: ResolvedCredentials,
  ): Promise<Git> {
    const configuration = join(scratchDirectory, 'gitconfig');
    // Only the directories that a plan or a person names are looked at, whoever owns them. A file, since a program that git
    // starts for a local repository does not get its settings from the environment.
    await writeFile(configuration, '[safe]\n\tdirectory = *\n', { mode: 0o600 });
    const settings = [...SETTINGS];
    const environment: Record<string, string> = {
      PATH: variables['PATH'] ?? process.env['PATH'] ?? '',
      HOME: scratchDirectory,
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: configuration,
      GIT_ALLOW_PROTOCOL: 'file:git:http:https:ssh',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: 'true',
      SSH_ASKPASS: 'true',
      GIT_NO_LAZY_FETCH: '1',
      GIT_NO_REPLACE_OBJECTS: '1',
      GIT_OPTIONAL_LOCKS: '0',
      GIT_SSH_VARIANT: 'ssh',
      GIT_SSH_COMMAND: await sshCommand(scratchDirectory, credentials),
    };
    for (const name of PASSED_ON) if (variables[name] !== undefined) environment[name] = variables[name];
    const password = passwordOf(address, credentials);
    if (password !== undefined && address?.origin !== undefined) {
      // For this server alone: one that it leads on to does not get it.
      settings.push([`credential.${address.origin}.helper`, CREDENTIAL_HELPER]);
      environment['HOLDFAST_GIT_USERNAME'] = usernameOf(address, credentials);
      environment['HOLDFAST_GIT_PASSWORD'] = password;
    }
    environment['GIT_CONFIG_COUNT'] = String(settings.length);
    for (const [index, [key, value]] of settings.entries()) {
      environment[`GIT_CONFIG_KEY_${index}`] = key;
      environment[`GIT_CONFIG_VALUE_${index}`] = value;
    }
    const secrets = password === undefined ? [] : [password, encodeURIComponent(password)];
    const git = new Git(environment, secrets, signal);
    await git.#refuseOld();
    return git;
  }

  /** An older one does not hear of what keeps a repository from being heard. @throws program-too-old, program-missing */
  async #refuseOld(): Promise<void> {
    const said = (await this.output(['version'])).trim();
    const [, major = 0, minor = 0] = /(\d+)\.(\d+)/.exec(said)?.map(Number) ?? [];
    const [oldestMajor, oldestMinor] = OLDEST;
    if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
    throw new HoldfastError('program-too-old', `${said} is too old`, {
      hint: `Install git ${OLDEST.join('.')} or newer.`,
    });
  }

  /**
   * @param directory the repository to work in, where there is one
   * @throws program-missing, program-failed with what git said last, without secrets; the reason of the signal
   */
  async run(
    words: readonly string[],
    {
      directory,
      ...options
    }: { directory?: string } & Pick<
      ProgramOptions,
      'input' | 'onOutput' | 'acceptedStatuses' | 'captureLimitBytes' | 'timeoutMs'
    > = {},
  ): Promise<ProgramResult> {
    try {
      return await runProgram('git', [...(directory === undefined ? [] : [`--git-dir=${directory}`]), ...words], {
        ...options,
        environment: this.#environment,
        // What a repository is named relative to, and where nothing of anybody's lies.
        workingDirectory: this.#environment['HOME']!,
        signal: this.#signal,
        label: 'git',
      });
    } catch (error) {
      throw isHoldfastError(error, 'program-failed') ? this.#withoutSecrets(error) : error;
    }
  }

  /** All of its output, one character a byte. */
  async output(
    words: readonly string[],
    options: { directory?: string; input?: string; timeoutMs?: number } = {},
  ): Promise<string> {
    const parts: Buffer[] = [];
    await this.run(words, { ...options, onOutput: (bytes) => void parts.push(Buffer.from(bytes)) });
    return Buffer.concat(parts).toString('latin1');
  }

  /** A server may say what it was told. */
  #withoutSecrets(error: HoldfastError): HoldfastError {
    const said = String(error.context['said'] ?? '');
    const cleaned = this.#secrets.reduce((text, secret) => text.replaceAll(secret, '***'), said);
    return new HoldfastError('program-failed', error.message, {
      ...(error.hint !== undefined && { hint: error.hint }),
      context: { ...error.context, said: cleaned },
    });
  }
}

function passwordOf(address: GitAddress | undefined, credentials: ResolvedCredentials | undefined): string | undefined {
  const password = credentials !== undefined && 'password' in credentials ? credentials.password : address?.password;
  if (password === undefined || !/[\r\n\0]/.test(password)) return password;
  throw new HoldfastError('secret-unavailable', 'the password of the git repository has several lines', {
    hint: 'A password or token is one line.',
  });
}

function usernameOf(address: GitAddress, credentials: ResolvedCredentials | undefined): string {
  const given = credentials !== undefined && 'password' in credentials ? credentials.username : undefined;
  // Servers that take a token alone do not look at the name.
  return given ?? address.username ?? 'git';
}

/** Nobody is asked, and a server that is gone without a word is not waited for: one that lives answers every quarter minute. */
const SSH_OPTIONS = ['BatchMode=yes', 'ConnectTimeout=30', 'ServerAliveInterval=15', 'ServerAliveCountMax=4'];

async function sshCommand(scratchDirectory: string, credentials: ResolvedCredentials | undefined): Promise<string> {
  const words = ['ssh', ...SSH_OPTIONS.flatMap((option) => ['-o', option])];
  if (credentials === undefined || !('key' in credentials)) return words.join(' ');
  const key = join(scratchDirectory, 'ssh-key');
  // Ends with a newline, as ssh wants it: a reference gives the text without.
  await writeFile(key, `${credentials.key}\n`, { mode: 0o600 });
  await chmod(key, 0o600);
  words.push('-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none', '-i', shellWord(key));
  if (credentials.knownHosts !== undefined) {
    const knownHosts = join(scratchDirectory, 'known-hosts');
    await writeFile(knownHosts, `${credentials.knownHosts}\n`, { mode: 0o600 });
    words.push('-o', 'StrictHostKeyChecking=yes', '-o', shellWord(`UserKnownHostsFile=${knownHosts}`));
  }
  return words.join(' ');
}
