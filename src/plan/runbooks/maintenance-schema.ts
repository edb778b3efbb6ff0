/** How writes are stopped and started again: `maintenance` of a plan. */
import { z } from 'zod';
import { maintenanceCall } from './steps/calls.ts';

export const maintenance = z
  .strictObject(
    {
      on: maintenanceCall.meta({ description: 'How writes are stopped.' }),
      off: maintenanceCall.meta({ description: 'How writes go on.' }),
    },
    { error: () => 'maintenance such as { on: { http: { … } }, off: { http: { … } } }' },
  )
  .meta({ description: 'How writes are stopped and started again.' });

/** One call: by a program, or by a request. */
export type MaintenanceCall = z.output<typeof maintenanceCall>;
export type Maintenance = z.output<typeof maintenance>;
