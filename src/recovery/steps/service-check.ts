import type { StepKind } from '../step.ts';
import { ServiceWatch, serviceByHand, serviceDown, serviceObstacles, serviceOf } from './services.ts';

/** Asks a service whether it is up: one good answer says so, three failures in a row that it is down. */
export const serviceCheck: StepKind<'service.check'> = {
  describe: (context) => {
    const service = serviceOf(context, context.step.service);
    return { does: `asks the service ${service.name} whether it is up`, byHand: serviceByHand(service) };
  },
  foresee: async (context) => ({
    ...serviceCheck.describe(context),
    obstacles: await serviceObstacles(context, [serviceOf(context, context.step.service)]),
  }),
  async run(context) {
    const watch = new ServiceWatch(context, serviceOf(context, context.step.service));
    for (;;) {
      const { sample, state } = await watch.ask();
      const ms = Math.round(sample.valueMs ?? 0);
      if (sample.error === undefined) {
        const summary = `${watch.service.name} is up: it answered after ${ms} ms`;
        return { outcome: 'done', summary, outputs: { answer: 'up', ms } };
      }
      if (state.isDown) throw serviceDown(watch.service, state);
      context.tell(`${watch.service.name}: ${sample.error}; it is asked again`);
      await watch.pause();
    }
  },
  inDrill: 'skip',
};
