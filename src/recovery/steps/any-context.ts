import type { StepDocument } from '../../plan/index.ts';
import type { StepContext } from '../step.ts';

/** For what is done alike in several kinds of steps. */
export type AnyContext = Omit<StepContext, 'step'> & { step: StepDocument };
