/** Writes are stopped, and go on, as `maintenance` of the plan says. */
import { HoldfastError } from '../../foundation/errors.ts';
import type { MaintenanceCall } from '../../plan/index.ts';
import type { StepKind } from '../step.ts';
import type { AnyContext } from './any-context.ts';
import { describeCall, foreseeCall, runCall } from './calls/one-call.ts';

/** @throws plan-invalid */
function callOf({ workspace }: AnyContext, which: 'on' | 'off'): MaintenanceCall {
  const call = workspace.plan.maintenance?.[which];
  if (call !== undefined) return call;
  throw new HoldfastError('plan-invalid', 'the plan does not say how maintenance is turned on and off', {
    hint: 'Say it under `maintenance`, with `on` and `off`.',
  });
}

/** A switch: to turn it again is to leave it as it is. */
export const maintenanceOn: StepKind<'maintenance.on'> = {
  describe: (context) => describeCall(context, callOf(context, 'on'), 'stops writes'),
  foresee: async (context) => foreseeCall(context, callOf(context, 'on'), 'stops writes'),
  run: async (context) => ({ ...(await runCall(context, callOf(context, 'on'), 'stopped writes')), outputs: {} }),
  leaves: () => 'maintenance was turned on, which stops writes: turn it off as `maintenance.off` of the plan says',
  inDrill: 'skip',
};

export const maintenanceOff: StepKind<'maintenance.off'> = {
  describe: (context) => describeCall(context, callOf(context, 'off'), 'lets writes go on'),
  foresee: async (context) => foreseeCall(context, callOf(context, 'off'), 'lets writes go on'),
  run: async (context) => ({ ...(await runCall(context, callOf(context, 'off'), 'let writes go on')), outputs: {} }),
  leaves: () => 'maintenance was turned off, and is not turned on again',
  inDrill: 'skip',
};
