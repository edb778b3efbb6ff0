import { formatDuration, formatPercentage, parseDuration } from '../../foundation/units.ts';
import type { Service } from '../../plan/index.ts';
import type { StepContext, StepKind } from '../step.ts';
import { ServiceWatch, serviceByHand, serviceDown, serviceObstacles, serviceOf } from './services.ts';

/** Watches services for a while. One that goes down ends it at once: that is no recovery. */
export const monitor: StepKind<'monitor'> = {
  describe: (context) => {
    const services = servicesOf(context);
    return {
      does: `watches ${services.map(({ name }) => name).join(', ')} for ${context.step.for}`,
      byHand: services.flatMap(serviceByHand),
    };
  },
  foresee: async (context) => ({
    ...monitor.describe(context),
    expectedMs: parseDuration(context.step.for)!,
    obstacles: await serviceObstacles(context, servicesOf(context)),
  }),
  async run(context) {
    const forMs = parseDuration(context.step.for)!;
    const endMs = context.clock.monotonicMs() + forMs;
    const ended = new AbortController();
    const signal = AbortSignal.any([context.signal, ended.signal]);
    const watches = servicesOf(context).map((service) => new ServiceWatch({ ...context, signal }, service));
    const watched = watches.map(async (watch) => {
      do {
        const { sample, state } = await watch.ask();
        if (state.isDown) throw serviceDown(watch.service, state);
        if (sample.error !== undefined) context.tell(`${watch.service.name}: ${sample.error}`);
        await watch.pause(endMs - context.clock.monotonicMs());
      } while (context.clock.monotonicMs() < endMs);
    });
    try {
      await Promise.all(watched);
    } finally {
      // The others need not look on.
      ended.abort();
      await Promise.allSettled(watched);
    }
    const samples = watches.reduce((sum, { asked }) => sum + asked, 0);
    const availability = Math.min(...watches.map(({ share }) => share));
    const names = watches.map(({ service }) => service.name).join(', ');
    const summary = `${names} stayed up for ${formatDuration(forMs)}: asked ${samples} times, ${formatPercentage(availability)} answered well at the least`;
    return { outcome: 'done', summary, outputs: { availability, samples } };
  },
  inDrill: 'skip',
};

function servicesOf(context: StepContext<'monitor'>): Service[] {
  return [...new Set(context.step.services)].map((name) => serviceOf(context, name));
}
