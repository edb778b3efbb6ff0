import type { AlertRule, Found } from '../condition.ts';
import type { RunFacts } from '../facts/facts.ts';
import { exampleFacts, exampleRuns } from './example.ts';

/** What has rules of its own. */
const TOLD_ELSEWHERE = /^(backup|verify):/;

/** What does the task of a subject by hand; what is not here, `doctor` looks into. */
const COMMANDS: Readonly<Record<string, (subject: string) => string>> = {
  follow: (source) => `holdfast follow ${source}`,
  archive: (archive) => `holdfast replicate ${archive}`,
  replicate: (mirror) => `holdfast replicate ${mirror}`,
  retain: (repository) => `holdfast retain ${repository}`,
  prune: (repository) => `holdfast prune ${repository}`,
  check: (repository) => `holdfast check ${repository}`,
  checkpoint: (repository) => `holdfast ledger checkpoint ${repository}`,
  drill: (drill) => {
    const runbook = drill.replace(/-[^-]*$/, '');
    return runbook === 'rescue' ? 'holdfast rescue --drill' : `holdfast drill ${runbook}`;
  },
};

/** Something else that the plan has done by itself failed, and was not done since. */
export const upkeepFailed: AlertRule = {
  basis: 'record',
  find: ({ record }) => [...record.runs.values()].flatMap((run) => failed(run)),
  example(plan, _rule, nowMs) {
    const last = { timeMs: nowMs, outcome: 'failed', message: 'the store does not answer' } as const;
    const example = exampleFacts(plan, nowMs, {});
    const task = `prune:${[...plan.repositories.keys()][0] ?? 'example'}`;
    return { ...example, record: { ...example.record, runs: exampleRuns(task, { last, failingMs: nowMs }) } };
  },
};

function failed({ task, last, failingMs }: RunFacts): Found[] {
  if (last === undefined || TOLD_ELSEWHERE.test(task) || !['failed', 'died'].includes(last.outcome)) return [];
  const [kind = task, subject = ''] = task.split(':');
  const reason = last.outcome === 'died' ? 'its process died' : (last.message ?? 'nobody knows why');
  return [
    {
      subject: task,
      message: `${kind}${subject === '' ? '' : ` of ${subject}`} failed: ${reason}`,
      sinceMs: failingMs ?? last.timeMs,
      endangers: 'that everything stays in order: it is done again when it is due, and fails until its cause is gone',
      command: COMMANDS[kind]?.(subject) ?? 'holdfast doctor',
    },
  ];
}
