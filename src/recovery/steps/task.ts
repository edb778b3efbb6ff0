import type { StepContext, StepKind } from '../step.ts';

/** A person does it, and says so with `holdfast incident done`. */
export const task: StepKind<'task'> = {
  describe: ({ step, workspace }) => ({
    does: `waits until ${assigneeOf(step, workspace)} has done it: ${step.ask}`,
    byHand: [
      `# ${step.ask}`,
      ...(step.instructions ?? '')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => `# ${line}`),
      ...(step.checklist ?? []).map((line) => `# [ ] ${line}`),
    ],
  }),
  foresee: async (context) => ({ ...task.describe(context), obstacles: [] }),
  run: async ({ step, ask, tell }) => {
    if (step.instructions !== undefined) for (const line of step.instructions.trimEnd().split('\n')) tell(line);
    for (const line of step.checklist ?? []) tell(`[ ] ${line}`);
    const of = step.assignee === undefined ? {} : { of: [step.assignee] };
    const [done] = await ask({ what: 'task', question: step.ask, ...of });
    const { by = '', note } = done ?? {};
    const summary = `${by} has done it: ${step.ask}${note === undefined ? '' : ` (${note})`}`;
    return { outcome: 'done', summary, outputs: { by, note: note ?? '' } };
  },
  inDrill: 'skip',
};

function assigneeOf({ assignee }: StepContext<'task'>['step'], { plan }: StepContext['workspace']): string {
  if (assignee === undefined) return 'somebody';
  return plan.contacts.get(assignee)?.role ?? assignee;
}
