import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import type { Workspace } from '../../operations/index.ts';
import type { CommandDefinition, Outcome } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { oneLine, shownTime } from '../text.ts';

export const planShow: CommandDefinition = {
  name: 'plan show',
  summary: 'print the plan with its defaults filled in',
  description:
    'Prints the plan as Holdfast understands it, with defaults filled in. Secrets stay the references that they are.',
  examples: [{ command: 'holdfast plan show', does: 'see what a short plan really says' }],
  options: [
    { flags: '--revision <n>', description: 'a revision that was applied, as its author wrote it, with who and why' },
  ],
  exits: REPOSITORY_EXITS,
  writes: false,
  async run({ loadPlan, options, workspace }) {
    if (options['revision'] !== undefined) return showRevision(await workspace(), String(options['revision']));
    const [loaded, { showPlan, showPlanYaml }] = await Promise.all([loadPlan(), import('../../plan/index.ts')]);
    return { exit: EXIT.done, json: showPlan(loaded), text: showPlanYaml(loaded).trimEnd() };
  },
};

async function showRevision(workspace: Workspace, wanted: string): Promise<Outcome> {
  const { revisionsOf } = await import('../../operations/index.ts');
  const revisions = await revisionsOf(workspace);
  const revision = revisions.find((each) => String(each.revision) === wanted);
  if (revision === undefined) {
    throw new HoldfastError('bad-usage', `the plan has no revision ${wanted}`, {
      hint:
        revisions.length === 0
          ? 'None was applied yet: `holdfast plan apply -m WHY`.'
          : `It has 1 to ${revisions.at(-1)!.revision}.`,
    });
  }
  const { by, time, why, weakened = [] } = revision;
  const about = [
    oneLine`revision ${wanted} of ${shownTime(time)} by ${by}: ${why}`,
    ...weakened.map((each) => oneLine`weakened: ${each}`),
  ];
  return {
    exit: EXIT.done,
    json: revision,
    text: [...about.map((line) => `# ${line}`), revision.text.trimEnd()].join('\n'),
  };
}
