import type { AlertRule, Found } from '../condition.ts';
import type { ServiceSamples } from '../facts/samples.ts';
import { exampleFacts, exampleSamples, exampleService } from './example.ts';

/** After so many failures in a row a service is down. */
const FAILURES = 3;

/** A service did not answer, or not well, three times in a row. */
export const availability: AlertRule = {
  basis: 'watch',
  find: ({ samples }) => (samples?.services ?? []).flatMap((each) => down(each)),
  example(plan, _rule, nowMs) {
    const samples = exampleSamples(nowMs, FAILURES, { error: 'it answered 503' });
    const services = [{ service: exampleService(plan), samples, errorRates: [] }];
    return exampleFacts(plan, nowMs, { samples: { services, standbys: [] } });
  },
};

function down({ service, from, samples }: ServiceSamples): Found[] {
  const failures = samples.slice(samples.findLastIndex(({ error }) => error === undefined) + 1);
  if (failures.length < FAILURES) return [];
  const place = from === undefined ? '' : `, asked from ${from}`;
  return [
    {
      subject: service,
      message: `${service} is down${place}: ${failures.at(-1)!.error}`,
      sinceMs: failures[0]!.timeMs,
      endangers: `all who use ${service}`,
      command: 'holdfast services',
    },
  ];
}
