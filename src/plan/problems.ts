import { HoldfastError } from '../foundation/errors.ts';

/** Something wrong or doubtful in a plan, and where. */
export interface Problem {
  /** The plan's file, as it is shown to people. */
  file: string;
  /** From 1. */
  line: number;
  /** From 1, in characters. */
  column: number;
  /** The key it is about, such as `sources.omni-db.schedule`; empty for the plan as a whole. */
  path: string;
  /** What is wrong: lower case, no full stop. Contains no value that may be secret. */
  message: string;
  /** What stood there, where it can be shown. */
  found?: string;
  /** What may stand there. */
  expected?: string;
  /** The known name that was most likely meant. */
  nearest?: string;
}

/** A plan that cannot be used, with everything that is wrong with it, in the order of the file. */
export class PlanInvalidError extends HoldfastError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    super('plan-invalid', `the plan has ${count}\n${listed(problems)}`, {
      hint: 'Correct the lines named above; `holdfast plan schema` prints what each key takes.',
      context: { file: problems[0]?.file, problems: problems.length },
    });
    this.name = 'PlanInvalidError';
    this.problems = problems;
  }
}

/** More than this, nobody reads; `problems` has them all. */
const MOST_LISTED = 200;

function listed(problems: readonly Problem[]): string {
  const lines = problems.slice(0, MOST_LISTED).map(formatProblem);
  if (problems.length > MOST_LISTED) lines.push(`and ${problems.length - MOST_LISTED} more`);
  return lines.join('\n');
}

/** One line: `holdfast.yaml:12:5: sources.db.shedule: unknown key; did you mean "schedule"?` */
export function formatProblem(problem: Problem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}`;
  return [place, problem.path, problem.message].filter((part) => part !== '').join(': ');
}

/** A problem before it is known where in the file it stands. */
export interface Finding {
  path: readonly PropertyKey[];
  /** Whether the position is the key's own or its value's. A key that is missing is placed at its parent. */
  at: 'key' | 'value';
  message: string;
  found?: string;
  expected?: string;
  nearest?: string;
}
