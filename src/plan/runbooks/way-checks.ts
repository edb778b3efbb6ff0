/** That a step says what it works on, where any of several keys may say it. Pure. */
import type { Finding } from '../problems.ts';
import type { StepKindName } from './steps/index.ts';

/** Whether a step has a key. */
type Has = (key: string) => boolean;

/** What is wrong with the keys of a step, by its kind; undefined where nothing is. */
const PROBLEMS: Partial<Record<StepKindName, (has: Has) => string | undefined>> = {
  'keys.revoke': eitherOf('exec', 'http'),
  'recovery-point': eitherOf('source', 'group'),
  restore: eitherOf('source', 'group'),
  isolate: (has) => {
    if (has('exec') && has('http')) return 'expected either "exec" or "http"';
    if (has('exec') || has('http')) return undefined;
    if (!has('source')) return 'says not what is cut off; expected "exec", "http" or "source"';
    return has('users') || has('allow') ? undefined : 'says not whom it cuts off; expected "users" or "allow"';
  },
  'credentials.rotate': (has) => {
    if (!has('users')) return has('secrets') ? undefined : 'says not what is rotated; expected "users" or "secrets"';
    return has('source') || has('url') ? undefined : 'says not whose users they are; expected "source" or "url"';
  },
};

function eitherOf(one: string, other: string): (has: Has) => string | undefined {
  return (has) => (has(one) === has(other) ? `expected either "${one}" or "${other}"` : undefined);
}

/** @param path of the step */
export function wayFindings(kind: StepKindName, path: readonly PropertyKey[], has: Has): Finding[] {
  const message = PROBLEMS[kind]?.(has);
  return message === undefined ? [] : [{ path, at: 'value', message }];
}
