/** References in the keys of a step: what they stand for, and how people may be told of them. */
import { isHoldfastError } from '../../../foundation/errors.ts';
import { shellWord } from '../../../foundation/shell-word.ts';
import type { Workspace } from '../../../operations/index.ts';
import {
  type ReferenceContext,
  resolveSecret,
  type SecretReference,
  type TextOrReference,
} from '../../../plan/index.ts';

export type Values = Readonly<Record<string, TextOrReference>>;

/** Values by name, of which some are secrets. */
export interface ResolvedValues {
  values: Record<string, string>;
  /** Those that were references. */
  secrets: string[];
}

/** @throws secret-unavailable */
export async function resolveValues(given: Values | undefined, context: ReferenceContext): Promise<ResolvedValues> {
  const entries = Object.entries({ ...given });
  const resolved = await Promise.all(entries.map(([, value]) => resolveSecret(value, context)));
  return {
    values: Object.fromEntries(entries.map(([name], index) => [name, resolved[index]!])),
    secrets: resolved.filter((_, index) => typeof entries[index]![1] !== 'string'),
  };
}

/** How a person gets at a value in a shell. */
export function describeValue(value: TextOrReference): string {
  if (typeof value === 'string') return shellWord(value);
  if ('env' in value) return `"$${value.env}"`;
  if ('file' in value) return `"$(cat ${shellWord(value.file)})"`;
  if ('command' in value) return `"$(${value.command[0]} …)"`;
  return `"$(gcloud secrets versions access ${shellWord(value.gcp)})"`;
}

/**
 * All references to variables and files in a value of the plan, however deep. Programs and distant services that others name
 * are asked when their answer is needed, and not before.
 */
export function referencesIn(value: unknown): SecretReference[] {
  if (typeof value !== 'object' || value === null) return [];
  if (value instanceof Map) return [...value.values()].flatMap(referencesIn);
  const entries = Object.entries(value);
  const [[key, target] = ['', undefined]] = entries;
  const isReference = entries.length === 1 && (key === 'env' || key === 'file') && typeof target === 'string';
  return isReference ? [value as SecretReference] : entries.flatMap(([, each]) => referencesIn(each));
}

/** What of those in a value can be had. */
export async function knownSecrets({ references }: Workspace, value: unknown): Promise<string[]> {
  const found = await Promise.allSettled(referencesIn(value).map((each) => resolveSecret(each, references)));
  return found.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}

/** Which of those in a value cannot be had, in words. */
export async function unavailableReferences({ references }: Workspace, value: unknown): Promise<string[]> {
  const said = await Promise.all(
    referencesIn(value).map((each) =>
      resolveSecret(each, references).then(
        () => [],
        (error: unknown) => {
          if (isHoldfastError(error)) return [error.message];
          throw error;
        },
      ),
    ),
  );
  return [...new Set(said.flat())];
}
