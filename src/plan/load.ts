import { dirname } from 'node:path';
import { crossFindings } from './checks.ts';
import { type PlanYaml, parseYaml } from './document.ts';
import { doubts } from './doubts.ts';
import { type FindOptions, findPlan, LARGEST_PLAN_BYTES, readPlan, shownPath } from './find.ts';
import { findingsOf } from './issues.ts';
import { type Finding, PlanInvalidError, type Problem } from './problems.ts';
import { orderFindings } from './runbooks/order-checks.ts';
import { soundRunbooks } from './runbooks/sound-runbooks.ts';
import { type PlanDocument, planSchema } from './schema.ts';
import { signingKeyProblems } from './signing-key-place.ts';
import { buildPlan, type Plan } from './view.ts';

export interface LoadedPlan {
  plan: Plan;
  /** Absolute. */
  path: string;
  /** Absolute; the same as `plan.directory`. */
  directory: string;
  /** The file's text, as read. */
  text: string;
  /** As written, with defaults filled in; durations and references as their author wrote them. */
  document: PlanDocument;
  /** What is legal but doubtful, in the order of the file. */
  warnings: Problem[];
}

/**
 * Finds, reads and checks the plan. Throws `plan-not-found`; `permission-denied`; and `PlanInvalidError` with every
 * problem in it. No secret is fetched.
 */
export async function loadPlan(options: FindOptions): Promise<LoadedPlan> {
  const path = await findPlan(options);
  const file = shownPath(path, options.cwd);
  const text = decodePlan(await readPlan(path), file);
  return { path, text, ...parsePlan(text, { file, directory: dirname(path) }) };
}

/** The plan that `text` is. `file` is what problems call it. Throws `PlanInvalidError`. */
export function parsePlan(
  text: string,
  place: { file: string; directory: string },
): Pick<LoadedPlan, 'plan' | 'directory' | 'document' | 'warnings'> {
  const whole = { file: place.file, path: '' };
  const yaml = parseYaml(text);
  if ('problems' in yaml) throw new PlanInvalidError(yaml.problems.map((problem) => ({ ...whole, ...problem })));
  if (yaml.value === null || yaml.value === undefined) {
    const message = 'the plan is empty; expected at least version, name, repositories and sources';
    throw new PlanInvalidError([{ ...whole, line: 1, column: 1, message }]);
  }
  const read = readDocument(yaml.value, place.directory);
  if ('findings' in read) throw new PlanInvalidError(placed(read.findings, yaml, place.file));
  return { ...read, directory: place.directory, warnings: placed(doubts(read.plan), yaml, place.file) };
}

/** The plan that a value is which was read from YAML, or all that is wrong with it. Pure. */
export function readDocument(
  value: unknown,
  directory: string,
): Pick<LoadedPlan, 'plan' | 'document'> | { findings: Finding[] } {
  // To compile a schema takes longer than to check one plan with it.
  const parsed = planSchema.safeParse(value, { jitless: true });
  const findings = parsed.success ? [] : findingsOf(parsed.error.issues, value);
  const across = crossFindings(value, findings, directory);
  if (!parsed.success) return { findings: [...findings, ...across, ...orderFindings(soundRunbooks(value))] };
  const plan = buildPlan(parsed.data, directory);
  const all = [...across, ...orderFindings(plan), ...signingKeyProblems(plan)];
  return all.length > 0 ? { findings: all } : { plan, document: parsed.data };
}

/** Findings with their positions, in the order of the file, none twice. */
function placed(findings: readonly Finding[], yaml: PlanYaml, file: string): Problem[] {
  const problems = new Map<string, Problem>();
  for (const { path, at, ...rest } of findings) {
    const problem = { file, ...yaml.locate(path, at), path: path.map(String).join('.'), ...rest };
    const key = `${problem.path}\n${problem.message}`;
    if (!problems.has(key)) problems.set(key, problem);
  }
  return [...problems.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** The text of the plan's bytes; a problem with its position where they are none. */
function decodePlan(bytes: Uint8Array, file: string): string {
  const refuse = (line: number, column: number, message: string) =>
    new PlanInvalidError([{ file, line, column, path: '', message }]);
  if (bytes.length > LARGEST_PLAN_BYTES) throw refuse(1, 1, 'larger than 1 MiB; this is not a plan');
  const text = new TextDecoder('utf-8').decode(bytes);
  // Control characters are in no text; U+FFFD stands where the bytes were no UTF-8.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const strange = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]/.exec(text);
  if (strange === null) return text;
  const before = text.slice(0, strange.index).split('\n');
  throw refuse(before.length, (before.at(-1) ?? '').length + 1, 'not a text file in UTF-8');
}
