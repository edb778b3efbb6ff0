/** The steps of a runbook as a drill does them. Pure. */
import { isUrl } from '../../foundation/target.ts';
import { buildStep, type DrillFaults, type PlannedStep, type StepDocument, stepSchema } from '../../plan/index.ts';

/** Where restores of a drill go, wherever the runbook says. */
export const SANDBOX = 'sandbox';
/** The same, where the runbook says a database: what is a cluster is copied there from the server that recovered. */
export const SANDBOX_DATABASE = 'sandbox-database';
/** The step that does to the copies what has happened in the scenario. */
export const FAULTS = 'drill-faults';
/** The step that a drill has and its runbook has not. */
export const CONTROL = 'drill-control';

const AFTERWARDS: readonly string[] = ['monitor', 'task', 'review'];
/** Keys that tell of a living target. */
const OF_THE_TARGET: readonly string[] = ['password', 'targets', 'replace', 'confirm', 'create', 'diff'];

/**
 * Each step says by `drill` alone what is done with it; restores go to sandboxes; nobody is asked what to do after a failure.
 * The last one is the control.
 * @param usual what a drill does with steps of a kind where the runbook does not say
 * @param faults what has happened to servers: the first step does it to their copies
 */
export function drillSteps(
  steps: readonly PlannedStep[],
  usual: (kind: StepDocument['do']) => 'run' | 'skip',
  faults: DrillFaults = { kill: [], cutOff: [] },
): PlannedStep[] {
  const restoring = restoringIds(steps);
  const ids = steps.map(({ id }) => id);
  const begin = faultsStep(faults, ids);
  const documents = steps.map(({ document, needs }): StepDocument => {
    const { drill } = document;
    const changed = typeof drill === 'object' ? drill : {};
    const said = typeof drill === 'object' ? 'run' : (drill ?? usual(document.do));
    const written = {
      ...toSandbox({ ...document, ...changed } as StepDocument),
      ...{ drill: said, needs: needs.length > 0 ? [...needs] : begin.map(({ id }) => id) },
      ...{ restoresService: restoring.includes(document.id) },
      onFailure: document.onFailure === 'ask' ? 'stop' : document.onFailure,
    };
    return stepSchema.parse(written);
  });
  documents.push(
    stepSchema.parse({
      ...{ id: ownId(CONTROL, ids), do: 'verify', sources: [SANDBOX], needs: ids },
      title: 'a planted corruption that verification has to find',
    }),
  );
  return [...begin, ...documents].map((document) => buildStep(document, undefined));
}

function faultsStep({ kill, cutOff }: DrillFaults, ids: readonly string[]): StepDocument[] {
  const happened = [
    ...kill.map((source) => `the server of ${source} is killed`),
    ...cutOff.map((source) => `the server of ${source} is out of reach`),
  ];
  if (happened.length === 0) return [];
  const title = 'what has happened, on copies';
  return [stepSchema.parse({ id: ownId(FAULTS, ids), do: 'note', text: happened.join('; '), title, needs: [] })];
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
  const isDirectory = typeof document.to === 'string' && !isUrl(document.to);
  return { ...Object.fromEntries(kept), to: isDirectory ? SANDBOX : SANDBOX_DATABASE } as StepDocument;
}

function ownId(wanted: string, ids: readonly string[]): string {
  return ids.includes(wanted) ? `${wanted}-of-holdfast` : wanted;
}

/** Whether a step of a drill does what has happened in the scenario. */
export function isFaults({ do: kind, id, needs }: StepDocument): boolean {
  return kind === 'note' && id.startsWith(FAULTS) && needs?.length === 0;
}

/** Whether a step of a drill is its control. */
export function isControl({ do: kind, ...step }: StepDocument): boolean {
  return kind === 'verify' && 'sources' in step && step.sources[0] === SANDBOX && step.id.startsWith(CONTROL);
}
