/** Where the plan is, and its bytes. */
import { stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { HoldfastError, systemCode } from '../foundation/errors.ts';
import { NoFileError, readGivenFile } from '../foundation/given-file.ts';

const PLAN_NAME = 'holdfast.yaml';
const PLAN_VARIABLE = 'HOLDFAST_PLAN';

/** Far beyond any plan that people keep; the point is to stop at a wrong file. */
export const LARGEST_PLAN_BYTES = 1024 * 1024;

export interface FindOptions {
  /** A plan's file, before anything else. Relative to `cwd`. */
  path?: string | undefined;
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
}

/** The absolute path of the plan: the one given, else that in HOLDFAST_PLAN, else `holdfast.yaml` here or above. */
export async function findPlan(options: FindOptions): Promise<string> {
  const given = options.path || options.env[PLAN_VARIABLE];
  if (given) return resolve(options.cwd, given);
  for (let directory = resolve(options.cwd); ; directory = dirname(directory)) {
    const path = join(directory, PLAN_NAME);
    if (await isFile(path)) return path;
    if (directory === dirname(directory)) break;
  }
  const similar = join(resolve(options.cwd), 'holdfast.yml');
  throw new HoldfastError('plan-not-found', `there is no ${PLAN_NAME} here or in a parent directory`, {
    hint: (await isFile(similar))
      ? `Rename holdfast.yml to ${PLAN_NAME}.`
      : `Go to the directory of the plan, or name it with --plan FILE or ${PLAN_VARIABLE}. To write one, begin with that of README.md.`,
    context: { directory: resolve(options.cwd) },
  });
}

/** The bytes of the plan, or of as much of it as shows that it is too large. @throws plan-not-found, permission-denied */
export async function readPlan(path: string): Promise<Uint8Array> {
  try {
    return await readGivenFile(path, LARGEST_PLAN_BYTES);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      const hint = `Check the path given with --plan or in ${PLAN_VARIABLE}.`;
      throw new HoldfastError('plan-not-found', `there is no plan at ${path}`, { hint, cause });
    }
    if (cause instanceof NoFileError) {
      const hint = 'Name the file of the plan itself.';
      throw new HoldfastError('plan-not-found', `${path} is no plan: ${cause.message}`, { hint, cause });
    }
    throw new HoldfastError('permission-denied', `the plan ${path} cannot be read (${code ?? 'error'})`, {
      hint: 'Make it readable to the user who runs this.',
      cause,
    });
  }
}

/** The path as people see it: relative where that is shorter to read. */
export function shownPath(path: string, cwd: string): string {
  const fromHere = relative(cwd, path);
  return fromHere === '' || fromHere.startsWith('..') ? path : fromHere;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    // What may not be seen is not here: the search goes on above.
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'].includes(systemCode(error) ?? '')) return false;
    throw error;
  }
}
