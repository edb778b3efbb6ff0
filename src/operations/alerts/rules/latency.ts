import { formatDuration } from '../../../foundation/units.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { ServiceSamples } from '../facts/samples.ts';
import { exampleFacts, exampleSamples, exampleService } from './example.ts';

const WINDOW_MS = 5 * 60_000;
/** Fewer answers tell no percentile: what is asked too seldom for them is judged by its last ones. */
const FEWEST = 3;

/** The 95th percentile of what a service took to answer in the last five minutes is too long. */
export const latency: AlertRule = {
  basis: 'watch',
  find: ({ nowMs, plan, samples }, { overMs }) =>
    (samples?.services ?? []).flatMap((each) => {
      const { everyMs = 0 } = plan.services.get(each.service) ?? {};
      const windowMs = Math.max(WINDOW_MS, (FEWEST + 0.5) * everyMs);
      return slow(each, { fromMs: nowMs - windowMs, overMs: overMs! });
    }),
  example(plan, { overMs }, nowMs) {
    const samples = exampleSamples(nowMs, 10, { valueMs: overMs! * 2 });
    const services = [{ service: exampleService(plan), samples, errorRates: [] }];
    return exampleFacts(plan, nowMs, { samples: { services, standbys: [] } });
  },
};

function slow(
  { service, from, samples }: ServiceSamples,
  { fromMs, overMs }: { fromMs: number; overMs: number },
): Found[] {
  const answered = samples.filter(({ timeMs, valueMs }) => valueMs !== undefined && timeMs > fromMs);
  const high = percentile95(answered.map(({ valueMs }) => valueMs!));
  if (answered.length < FEWEST || high === undefined || high <= overMs) return [];
  const firstMs = answered.find(({ valueMs }) => valueMs! > overMs)!.timeMs;
  const place = from === undefined ? '' : `, asked from ${from},`;
  return [
    {
      subject: service,
      message: `${service}${place} takes longer than ${formatDuration(overMs)} for one in twenty answers`,
      sinceMs: firstMs,
      endangers: `the users of ${service}: they wait, and it may go down next`,
      command: 'holdfast services',
    },
  ];
}

/** The value that 95 in a hundred do not exceed, one that there was. */
function percentile95(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1];
}
