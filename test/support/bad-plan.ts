/** What is said of a plan that is wrong. */

import { expect } from 'vitest';
import { parsePlan } from '../../src/plan/load.ts';
import { formatProblem, PlanInvalidError, type Problem } from '../../src/plan/problems.ts';
import { SOURCE_TYPES } from '../../src/plan/sources/index.ts';

export const TYPES = SOURCE_TYPES.join(' or ');

export const HEAD = `version: 1
name: shop
repositories:
  primary: { store: ./repository, password: { env: HOLDFAST_PASSWORD } }
`;

export const FILES = `sources:
  uploads: { type: files, paths: [/srv/uploads] }
`;

export function problemsIn(text: string): readonly Problem[] {
  try {
    parsePlan(text, { file: 'holdfast.yaml', directory: '/plans' });
  } catch (error) {
    expect(error).toBeInstanceOf(PlanInvalidError);
    return (error as PlanInvalidError).problems;
  }
  return [];
}

export function linesIn(text: string): string[] {
  return problemsIn(text).map(formatProblem);
}

/** The problems of a plan whose one source `db` has these lines. */
export function linesOfSource(...lines: string[]): string[] {
  return linesIn(`${HEAD}sources:\n  db:\n${lines.map((line) => `    ${line}\n`).join('')}`);
}

export const POSTGRES = ['type: postgres', 'url: { env: DATABASE_URL }'];
