import { isHoldfastError } from '../../foundation/errors.ts';
import { shellWord } from '../../foundation/shell-word.ts';
import { choosePoint, compare as compareWithPoint, examineRestore, type Workspace } from '../../operations/index.ts';
import type { StepKind } from '../step.ts';
import { fromAnyCopy } from './any-copy.ts';
import { describeValue, unavailableReferences } from './calls/references.ts';
import { placeOf } from './place.ts';
import { workspaceOf } from './step-workspace.ts';
import { assertFilled } from './unfilled.ts';

/** So many differences are told one by one. */
const TOLD = 20;

/** Holds the living source, or another place, against a recovery point. That they differ is what was found, and no failure. */
export const compare: StepKind<'compare'> = {
  describe: ({ step }) => {
    const { source, at } = step;
    const other = step.with === undefined ? [] : ['--with', describeValue(step.with)];
    const words = ['holdfast', 'compare', source, ...(at === undefined ? [] : ['--at', shellWord(at)]), ...other];
    return {
      does: `compares ${step.with === undefined ? `the living ${source}` : 'another place'} with ${source} as of ${at ?? 'its last proven recovery point'}`,
      byHand: [words.join(' ')],
    };
  },
  foresee: async (context) => {
    const { step, workspace } = context;
    const { source, at } = step;
    const known = at === undefined || at.includes('${') ? {} : { at };
    const { obstacles } = await examineRestore(workspace, { source, ...known });
    const missing = await unavailableReferences(workspace, [step.with, step.password]);
    return { ...compare.describe(context), obstacles: [...missing, ...obstacles] };
  },
  async run(context) {
    const { step } = context;
    assertFilled(step);
    const workspace = workspaceOf(context);
    const place = step.with === undefined ? undefined : { place: step.with, password: step.password };
    const other = place && (await placeOf(context, 'with', place));
    const { source } = step;
    const compared = await fromAnyCopy(context, { named: undefined, source }, async (repository) => {
      const at = step.at ?? (await lastProven(workspace, { source, repository }));
      const point = { ...(at !== undefined && { at }), ...(other !== undefined && { with: other }) };
      return compareWithPoint(workspace, { source, repository, ...point });
    });
    const { differences, time, snapshot } = compared;
    for (const { item, kind, detail } of differences.slice(0, TOLD)) context.tell(`${item}: ${kind}, ${detail}`);
    const found = differences.length === 0 ? 'no difference' : `${differences.length} differences`;
    const most = differences.slice(0, 3).map(({ item }) => item);
    return {
      outcome: 'done',
      summary: `${found} between ${step.with === undefined ? `the living ${source}` : 'that place'} and ${source} as of ${time}${most.length === 0 ? '' : `: ${most.join(', ')}${differences.length > 3 ? ' …' : ''}`}`,
      outputs: { differences: differences.length, time, snapshot },
    };
  },
  inDrill: 'skip',
};

/**
 * What is newest may have the same fault as what lives: of a source whose log is followed, it is the same to the second.
 * @returns undefined where none is proven: then it is the newest all the same
 */
async function lastProven(
  workspace: Workspace,
  request: { source: string; repository: string },
): Promise<string | undefined> {
  try {
    const sinceMs = workspace.environment.clock.nowMs();
    return (await choosePoint(workspace, { ...request, choose: 'latest-proven', sinceMs })).time;
  } catch (error) {
    if (isHoldfastError(error, 'unknown-snapshot')) return undefined;
    throw error;
  }
}
