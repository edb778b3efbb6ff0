import type { StepContext } from '../../step.ts';

export type RestoreContext = StepContext<'restore'>;
