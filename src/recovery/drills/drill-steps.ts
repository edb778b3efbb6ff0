/** The steps of a runbook as a drill does them. Pure. */
import { buildStep, type PlannedStep, type StepDocument, stepSchema } from '../../plan/index.ts';

/** Where restores of a drill go, wherever the runbook says. */
export const SANDBOX = 'sandbox';
/** The step that a drill has and its runbook has not. */
export const CONTROL = 'drill-control';

const AFTERWARDS: readonly string[] = ['monitor', 'task', 'review'];
/** Keys that tell of a living target. */
const OF_THE_TARGET: readonly string[] = ['password', 'targets', 'replace', 'confirm', 'create', 'diff'];

/**
 * Each step says by `drill` alone what is done with it; restores go to sandboxes; nobody is asked what to do after a failure.
 * The last one is the control.
 * @param usual what a drill does with steps of a kind where the runbook does not say
 */
export function drillSteps(
  steps: readonly PlannedStep[],
  usual: (kind: StepDocument['do']) => 'run' | 'skip',
): PlannedStep[] {
  const restoring = restoringIds(steps);
  const documents = steps.map(({ document, needs }): StepDocument => {
    const { drill } = document;
    const changed = typeof drill === 'object' ? drill : {};
    const said = typeof drill === 'object' ? 'run' : (drill ?? usual(document.do));
    const written = {
      ...toSandbox({ ...document, ...changed } as StepDocument),
      ...{ drill: said, needs: [...needs], restoresService: restoring.includes(document.id) },
      onFailure: document.onFailure === 'ask' ? 'stop' : document.onFailure,
    };
    return stepSchema.parse(written);
  });
  const ids = steps.map(({ id }) => id);
  documents.push(
    stepSchema.parse({
      ...{ id: controlId(ids), do: 'verify', sources: [SANDBOX], needs: ids },
      title: 'a planted corruption that verification has to find',
    }),
  );
  return documents.map((document) => buildStep(document, undefined));
}

/** With whose end what people use would be back. */
function restoringIds(steps: readonly PlannedStep[]): string[] {
  const marked = steps.filter(({ restoresService }) => restoresService);
  if (marked.length > 0) return marked.map(({ id }) => id);
  const first = steps.findIndex(({ document }) => AFTERWARDS.includes(document.do));
  return [(first > 0 ? steps[first - 1] : steps.at(-1))!.id];
}

function toSandbox(document: StepDocument): StepDocument {
  if (document.do !== 'restore') return document;
  const kept = Object.entries(document).filter(([key]) => !OF_THE_TARGET.includes(key));
  return { ...Object.fromEntries(kept), to: SANDBOX } as StepDocument;
}

function controlId(ids: readonly string[]): string {
  return ids.includes(CONTROL) ? `${CONTROL}-of-holdfast` : CONTROL;
}

/** Whether a step of a drill is its control. */
export function isControl({ do: kind, ...step }: StepDocument): boolean {
  return kind === 'verify' && 'sources' in step && step.sources[0] === SANDBOX && step.id.startsWith(CONTROL);
}
