/** Reads what the coverage of playbooks is checked on. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Covered, checkCoverage } from './check.ts';
import { coverageDocument } from './document.ts';

const COVERAGE = 'coverage.yaml';

/** @param directory of the playbooks; where it does not exist, only targets are looked up */
export function readAndCheck(root: string, directory: string): Covered & { hasPlaybooks: boolean } {
  const examples = filesIn(join(root, 'examples'), '.yaml');
  const coverage = coverageDocument.parse(parse(examples.get(COVERAGE) ?? ''));
  const plans = new Map([...examples].filter(([name]) => name !== COVERAGE).map(([name, text]) => [name, parse(text)]));
  const hasPlaybooks = existsSync(directory);
  const playbooks = hasPlaybooks ? filesIn(directory, '.md') : undefined;
  return { ...checkCoverage(root, coverage, plans, playbooks), hasPlaybooks };
}

function filesIn(directory: string, ending: string): Map<string, string> {
  const names = readdirSync(directory).filter((name) => name.endsWith(ending));
  return new Map(names.sort().map((name) => [name, readFileSync(join(directory, name), 'utf8')]));
}
