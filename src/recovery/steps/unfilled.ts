/** What a step was to be told by others, and was not. */
import { HoldfastError } from '../../foundation/errors.ts';
import { namesInTemplate, type StepDocument, textsIn } from '../../plan/index.ts';

/** What only people read, or the engine. */
const NOT_OF_THE_KIND: readonly string[] = ['when', 'title', 'byHand', 'drill'];

/** The names that still stand for something in the keys of a step's kind. */
export function unfilledNames(step: StepDocument): string[] {
  const own = Object.entries(step).flatMap(([key, value]) => (NOT_OF_THE_KIND.includes(key) ? [] : textsIn(value)));
  return [...new Set(own.flatMap(({ text }) => namesInTemplate(text)))];
}

/** @throws bad-usage: nothing is done with a text that still has places in it */
export function assertFilled(step: StepDocument): void {
  const [name] = unfilledNames(step);
  if (name === undefined) return;
  throw new HoldfastError('bad-usage', `the step ${step.id} needs \${${name}}, which is not known`, {
    hint: 'The step that finds it out did not end well, or was passed over: have that done first.',
    context: { step: step.id, name },
  });
}
