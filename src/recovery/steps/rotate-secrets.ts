/** Secrets that are random by themselves, such as keys that sign: each gets another value, and the older ones are dead. */
import { HoldfastError } from '../../foundation/errors.ts';
import type { Workspace } from '../../operations/index.ts';
import type { StepContext } from '../step.ts';

export interface RotatedSecrets {
  names: string[];
  disabled: number;
  /** Readers by these names of versions get nothing any more. */
  deadAliases: string[];
}

/** What makes it fail, or leaves somebody without, without changing anything. @throws source-refused, path-missing … */
export async function lookAtSecrets(
  { workspace }: Pick<StepContext, 'workspace'>,
  names: readonly string[],
): Promise<string[]> {
  const { lookAtSecret } = secretsOf(workspace);
  const obstacles: string[] = [];
  for (const name of names) {
    const { aliases } = await lookAtSecret(name, workspace.references);
    for (const alias of aliases)
      obstacles.push(`the alias ${alias} of ${name} leads to an older version, which gives its value no more then`);
  }
  return obstacles;
}

/** All of them are looked at before the first is changed. @throws source-refused, path-missing, validation-failed … */
export async function rotateSecrets(
  { workspace, signal, tell }: Pick<StepContext, 'workspace' | 'signal' | 'tell'>,
  names: readonly string[],
  newValue: () => string,
): Promise<RotatedSecrets> {
  const { rotateSecret } = secretsOf(workspace);
  const rotated: RotatedSecrets = { names: [...names], disabled: 0, deadAliases: [] };
  for (const name of names) {
    signal.throwIfAborted();
    const { version, disabled } = await rotateSecret(name, newValue(), workspace.references);
    rotated.disabled += disabled;
    tell(`${name} has a new value, version ${version}; ${disabled} older versions were disabled`);
  }
  for (const name of names) {
    const { aliases } = await secretsOf(workspace).lookAtSecret(name, workspace.references);
    rotated.deadAliases.push(...aliases.map((alias) => `${alias} of ${name}`));
  }
  return rotated;
}

export function secretsInWords({ names, disabled, deadAliases }: RotatedSecrets): string[] {
  if (names.length === 0) return [];
  const aliases = `aliases lead to versions that are disabled: ${deadAliases.join(', ')}`;
  return [
    `${names.join(', ')} have new random values; ${disabled} older versions were disabled, and give theirs to nobody`,
    ...(deadAliases.length === 0 ? [] : [aliases]),
  ];
}

function secretsOf({ environment }: Workspace) {
  const { lookAtSecret, rotateSecret } = environment.adapters;
  if (lookAtSecret !== undefined && rotateSecret !== undefined) return { lookAtSecret, rotateSecret };
  throw new HoldfastError('internal', 'there is nothing that secrets could be changed with');
}
