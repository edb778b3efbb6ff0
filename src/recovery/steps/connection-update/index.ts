/** Gives clients another connection string: in a file that they read, or as the newest version of a secret. */
import { access, constants, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import { shellWord } from '../../../foundation/shell-word.ts';
import type { StepContext, StepKind, StepResult } from '../../step.ts';
import { describeValue, unavailableReferences } from '../calls/references.ts';
import { wholeText } from '../place.ts';
import { assertFilled } from '../unfilled.ts';
import { replaceInFile } from './replace-file.ts';

type Context = StepContext<'connection.update'>;

export const connectionUpdate: StepKind<'connection.update'> = {
  describe: (context) => ({
    does: `puts another connection string into ${placeOf(context)}`,
    byHand: byHand(context),
  }),
  foresee: async (context) => ({
    ...connectionUpdate.describe(context),
    obstacles: [
      ...(await unavailableReferences(context.workspace, [context.step.value, context.step.password])),
      ...(await placeObstacles(context)),
    ],
  }),
  async run(context) {
    assertFilled(context.step);
    const value = await connectionString(context);
    context.signal.throwIfAborted();
    return context.step.set.secret === undefined ? inFile(context, value) : asSecret(context, value);
  },
  leaves: (context) =>
    context.step.set.secret === undefined
      ? `${placeOf(context)} keeps the new connection string`
      : `${placeOf(context)} keeps the new version; the one before is there still`,
  inDrill: 'skip',
};

function connectionString(context: Context): Promise<string> {
  const { value, password } = context.step;
  return wholeText(context, 'value', { text: value, password });
}

async function inFile(context: Context, value: string): Promise<StepResult> {
  const { key } = context.step.set;
  const { path, isNew, isChanged, mode } = await replaceInFile(pathOf(context), value, key);
  const what = key === undefined ? path : `${key} in ${path}`;
  const did = isNew ? 'was made' : isChanged ? 'was replaced' : 'was what it is to be already';
  const seen = (mode & 0o004) === 0 ? '' : '; anybody on that machine may read it';
  return { outcome: 'done', summary: `${what} ${did}${seen}`, outputs: { path } };
}

async function asSecret({ workspace, step }: Context, value: string): Promise<StepResult> {
  const { putSecretValue } = workspace.environment.adapters;
  const secret = step.set.secret!;
  if (putSecretValue === undefined) throw unreachable(secret);
  const { version, isNew } = await putSecretValue(secret, value, workspace.references);
  const summary = isNew ? `${secret} has a new version, ${version}` : `version ${version} of ${secret} has it already`;
  return { outcome: 'done', summary, outputs: { version } };
}

function pathOf({ workspace, step }: Context): string {
  return resolve(workspace.plan.directory, step.set.file ?? '');
}

function placeOf(context: Context): string {
  const { secret, key } = context.step.set;
  if (secret !== undefined) return `the secret ${secret}`;
  return key === undefined ? pathOf(context) : `${key} of ${pathOf(context)}`;
}

async function placeObstacles(context: Context): Promise<string[]> {
  const { secret } = context.step.set;
  if ((secret ?? context.step.set.file!).includes('${')) return [];
  return secret === undefined ? fileObstacles(pathOf(context)) : secretObstacles(context, secret);
}

/** A file is replaced by another one beside it. */
async function fileObstacles(path: string): Promise<string[]> {
  const directory = dirname(path);
  try {
    await access(directory, constants.W_OK);
    const isFile = await stat(path).then(
      (found) => found.isFile(),
      () => true,
    );
    return isFile ? [] : [`${path} is no regular file`];
  } catch {
    return [`${directory} is not there, or may not be written to`];
  }
}

async function secretObstacles({ workspace }: Context, secret: string): Promise<string[]> {
  const { hasSecret } = workspace.environment.adapters;
  if (hasSecret === undefined) return [unreachable(secret).message];
  try {
    return (await hasSecret(secret, workspace.references)) ? [] : [`there is no secret ${secret}`];
  } catch (error) {
    if (isHoldfastError(error)) return [error.message];
    throw error;
  }
}

function unreachable(secret: string): HoldfastError {
  return new HoldfastError('source-unsupported', `the secret ${secret} cannot be reached from here`, {
    hint: 'Use a file, or a program that sets the secret.',
  });
}

function byHand(context: Context): string[] {
  const { step } = context;
  const value = describeValue(step.value);
  const note = step.password === undefined ? [] : [`# with the password in it: ${describeValue(step.password)}`];
  if (step.set.secret !== undefined)
    return [...note, `printf %s ${value} | gcloud secrets versions add ${shellWord(step.set.secret)} --data-file=-`];
  const path = shellWord(pathOf(context));
  const { key } = step.set;
  return [...note, key === undefined ? `printf '%s\\n' ${value} > ${path}` : `# set ${key}= in ${path} to ${value}`];
}
