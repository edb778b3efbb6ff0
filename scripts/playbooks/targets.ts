/** What an entry points at: that it exists, and what it says. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMAND_NAMES } from '../../src/cli/registry.ts';
import type { CoverageEntry } from './document.ts';

export interface Targets {
  /** Of plan keys and steps; commands and tests have none. */
  values: unknown[];
  /** What does not exist. */
  problems: string[];
}

const commands = new Set(COMMAND_NAMES);

/** @param example the plan as it is written */
export function targetsOf(
  root: string,
  example: unknown,
  { plan = [], step = [], command = [], test = [] }: CoverageEntry,
): Targets {
  const found = [
    ...plan.map((path) => ({ what: `the key ${path}`, value: valueAt(example, path.split('.')) })),
    ...step.map((name) => ({ what: `the step ${name}`, value: stepOf(example, name) })),
  ];
  const problems = [
    ...found.filter(({ value }) => value === undefined).map(({ what }) => `the example has not ${what}`),
    ...command.filter((name) => !commands.has(name)).map((name) => `there is no command ${name}`),
    ...test.filter((name) => !hasTest(root, name)).map((name) => `there is no test ${name}`),
  ];
  if (plan.length + step.length + command.length + test.length === 0) problems.push('nothing answers it');
  return { values: found.map(({ value }) => value), problems };
}

function valueAt(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return value;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return valueAt((value as Record<string, unknown>)[key], rest);
}

function stepOf(example: unknown, name: string): unknown {
  const dot = name.indexOf('.');
  const steps = valueAt(example, ['runbooks', name.slice(0, dot), 'steps']);
  return Array.isArray(steps) ? steps.find(({ id }: { id: string }) => id === name.slice(dot + 1)) : undefined;
}

function hasTest(root: string, name: string): boolean {
  const [file = '', ...title] = name.split(': ');
  const path = join(root, file);
  return title.length > 0 && existsSync(path) && readFileSync(path, 'utf8').includes(`'${title.join(': ')}'`);
}
