import type { StepContext, StepKind } from '../step.ts';

/** Waits until persons agree: how is the engine's. */
export const approve: StepKind<'approve'> = {
  describe: ({ step: { ask, by, count }, workspace }) => ({
    does: `waits until ${count === 1 ? 'one' : count} of ${by.map((id) => roleOf(workspace, id)).join(', ')} ${count === 1 ? 'agrees' : 'agree'}: ${ask}`,
    byHand: [
      `# Call ${someOf(
        count,
        by.map((id) => reached(workspace, id)),
      )}: ${ask}`,
    ],
  }),
  foresee: async (context) => ({
    ...approve.describe(context),
    obstacles: obstacles(context.step, context.workspace),
  }),
  run: async ({ step, ask }) => {
    const answers = await ask({ what: 'approve', question: step.ask, of: step.by, count: step.count });
    const by = answers.map(({ by: person, as }) => (as === undefined ? person : `${person} as ${as}`)).join(', ');
    return { outcome: 'done', summary: `${by} agreed: ${step.ask}`, outputs: { by } };
  },
  // Whom an incident would keep waiting is asked only where the runbook says that it is drilled as well.
  inDrill: 'skip',
};

type Asked = StepContext<'approve'>['step'];

/** Accounts that are named answer for their contacts alone: too few of them never are enough. */
function obstacles(step: Asked, { plan }: StepContext['workspace']): string[] {
  const accounts = step.by.map((id) => plan.contacts.get(id)?.accounts);
  if (accounts.some((each) => each === undefined)) return [];
  const known = new Set(accounts.flatMap((each) => each ?? []));
  if (known.size >= step.count) return [];
  return [`it takes ${step.count} persons, and ${step.by.join(', ')} have ${known.size} accounts in all`];
}

function roleOf({ plan }: StepContext['workspace'], id: string): string {
  return plan.contacts.get(id)?.role ?? id;
}

function reached({ plan }: StepContext['workspace'], id: string): string {
  const { role = id, name, phone, email } = plan.contacts.get(id) ?? {};
  return [role, name, phone, email].filter((each) => each !== undefined).join(', ');
}

/** Of these persons, so many. */
function someOf(count: number, persons: readonly string[]): string {
  if (count === 1) return persons.join(', or ');
  return count === persons.length ? persons.join(', and ') : `${count} of ${persons.join('; ')}`;
}
