/** References to values that lie outside of the plan, fetched when they are needed. No error contains a value. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { HoldfastError, isHoldfastError, systemCode, systemReason } from '../foundation/errors.ts';
import { NoFileError, openGivenFile } from '../foundation/given-file.ts';
import type { SecretReference, TextOrReference } from './reference-schema.ts';

/** What references are resolved against. */
export interface ReferenceContext {
  /** The plan's directory. */
  directory: string;
  env: Readonly<Record<string, string | undefined>>;
  signal?: AbortSignal;
  /** Reads a version of a secret in Secret Manager, by its full name. Without it there are no such references. */
  readCloudSecret?(name: string, context: Pick<ReferenceContext, 'env'>): Promise<Uint8Array>;
}

/** `T` with every reference replaced by the text it stands for. */
export type Resolved<T> = T extends SecretReference
  ? string
  : T extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
    ? T
    : T extends object
      ? { [Key in keyof T]: Resolved<T[Key]> }
      : T;

const COMMAND_TIMEOUT_MS = 30_000;
const LARGEST_SECRET_BYTES = 64 * 1024;

function isReference(value: unknown): value is SecretReference {
  if (typeof value !== 'object' || value === null) return false;
  const [[key = '', target] = [], ...others] = Object.entries(value);
  // A source of secrets has keys of the same names, with other values.
  return (
    others.length === 0 && (key === 'command' || (['env', 'file', 'gcp'].includes(key) && typeof target === 'string'))
  );
}

/** Where a value comes from, for messages: never the value. */
export function describeReference(reference: SecretReference): string {
  if ('env' in reference) return `the environment variable ${reference.env}`;
  if ('file' in reference) return `the file ${reference.file}`;
  if ('gcp' in reference) return `the secret ${reference.gcp}`;
  // Only the program: its arguments may be secret.
  return `the command ${reference.command[0]}`;
}

/**
 * The text that `value` is or stands for, without the newlines at its end. It is read anew at each call.
 * Throws `secret-unavailable`, with where it was looked for and never what was found.
 */
export async function resolveSecret(value: TextOrReference, context: ReferenceContext): Promise<string> {
  if (typeof value === 'string') return value;
  const secret = (await readReference(value, context)).replace(/[\r\n]+$/, '');
  if (secret === '') throw unavailable(value, 'is empty', 'Give it a value.');
  return secret;
}

/** `value` with every reference in it, however deep, resolved as by `resolveSecret`. Maps are left as they are. */
export async function resolveReferences<T>(value: T, context: ReferenceContext): Promise<Resolved<T>> {
  return (await resolveAny(value, context)) as Resolved<T>;
}

/** `value` with a text in the place of every reference in it, however deep: for whom what they refer to is not to be had. Maps are left as they are. */
export function withoutReferences<T>(value: T, text: string): T {
  if (isReference(value)) return text as T;
  if (Array.isArray(value)) return value.map((each) => withoutReferences<unknown>(each, text)) as T;
  if (typeof value !== 'object' || value === null || value instanceof Map || value instanceof Set) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutReferences(each, text)])) as T;
}

async function resolveAny(value: unknown, context: ReferenceContext): Promise<unknown> {
  if (isReference(value)) return resolveSecret(value, context);
  if (Array.isArray(value)) return Promise.all(value.map((item) => resolveAny(item, context)));
  if (typeof value !== 'object' || value === null || value instanceof Map || value instanceof Set) return value;
  const entries = Object.entries(value).map(async ([key, part]) => [key, await resolveAny(part, context)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

async function readReference(reference: SecretReference, context: ReferenceContext): Promise<string> {
  if ('env' in reference) {
    const value = Object.hasOwn(context.env, reference.env) ? context.env[reference.env] : undefined;
    if (value === undefined) throw unavailable(reference, 'is not set', `Set ${reference.env} and run again.`);
    return value;
  }
  if ('file' in reference) return readSecretFile(reference, context);
  if ('gcp' in reference) return readCloudSecret(reference, context);
  return runSecretCommand(reference, context);
}

async function readCloudSecret(reference: { gcp: string }, context: ReferenceContext): Promise<string> {
  if (context.readCloudSecret === undefined)
    throw unavailable(reference, 'cannot be read here', 'Use a file, a variable or a command.');
  try {
    return decode(reference, await context.readCloudSecret(reference.gcp, context));
  } catch (error) {
    context.signal?.throwIfAborted();
    if (!isHoldfastError(error) || error.code === 'secret-unavailable') throw error;
    const { hint = 'See whether the secret is there.', cause } = error;
    throw unavailable(reference, `cannot be read: ${error.message}`, hint, cause);
  }
}

async function readSecretFile(reference: { file: string }, context: ReferenceContext): Promise<string> {
  const path = resolve(context.directory, reference.file);
  // Everything is asked of the one open file.
  const file = await openGivenFile(path).catch((error: unknown) => {
    if (error instanceof NoFileError)
      throw unavailable(reference, 'is not a regular file', `Put the value into a file at ${path}.`, error);
    const what = systemCode(error) === 'ENOENT' ? 'does not exist' : `cannot be read (${systemReason(error)})`;
    throw unavailable(reference, what, `Create ${path}, readable by its owner only.`, error);
  });
  try {
    const stats = await file.stat();
    if (process.platform !== 'win32' && (stats.mode & 0o077) !== 0) {
      const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
      throw unavailable(reference, `can be read by others (mode ${mode})`, `Run: chmod 600 '${path}'`);
    }
    if (stats.size > LARGEST_SECRET_BYTES)
      throw unavailable(reference, 'is too large for a secret', 'Name another file.');
    return decode(reference, await file.readFile());
  } finally {
    await file.close();
  }
}

function runSecretCommand(reference: { command: [string, ...string[]] }, context: ReferenceContext): Promise<string> {
  const [program, ...parameters] = reference.command;
  return new Promise((done, fail) => {
    const options = {
      cwd: context.directory,
      env: context.env as NodeJS.ProcessEnv,
      timeout: COMMAND_TIMEOUT_MS,
      maxBuffer: LARGEST_SECRET_BYTES,
      encoding: 'buffer' as const,
      ...(context.signal === undefined ? {} : { signal: context.signal }),
    };
    const child = execFile(program, parameters, options, (error, stdout) => {
      try {
        // The error is not passed on as the cause: its message holds the command line, and it carries the output.
        if (error !== null) throw unavailable(reference, whyItFailed(error), 'Run the command by hand to see why.');
        done(decode(reference, stdout));
      } catch (failure) {
        fail(failure);
      }
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end();
  });
}

function whyItFailed(error: Error & { code?: unknown; signal?: unknown; killed?: boolean }): string {
  if (error.name === 'AbortError') return 'was interrupted';
  if (error.code === 'ENOENT') return 'does not exist';
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return 'printed more than a secret holds';
  if (error.killed === true) return `did not end within ${COMMAND_TIMEOUT_MS / 1000} s`;
  if (typeof error.code === 'number') return `ended with status ${error.code}`;
  return typeof error.signal === 'string' ? `was ended by ${error.signal}` : `could not run (${String(error.code)})`;
}

function decode(reference: SecretReference, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unavailable(reference, 'is not UTF-8 text', 'Store the value as text.');
  }
}

function unavailable(reference: SecretReference, what: string, hint: string, cause?: unknown): HoldfastError {
  return new HoldfastError('secret-unavailable', `${describeReference(reference)} ${what}`, {
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}
