import { formatPercentage } from '../../../foundation/units.ts';
import type { Rule } from '../../../plan/index.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { ServiceSamples } from '../facts/samples.ts';
import { exampleFacts, exampleService } from './example.ts';

/** Too many requests to a service fail, and have for a while. */
export const errorRate: AlertRule = {
  basis: 'watch',
  find: ({ nowMs, samples }, rule) => (samples?.services ?? []).flatMap((each) => failing(each, nowMs, rule)),
  example(plan, { overShare, forMs }, nowMs) {
    const share = Math.min(1, overShare! * 5);
    const errorRates = [forMs! + 30_000, forMs! / 2, 0].map((agoMs) => ({ timeMs: nowMs - agoMs, share }));
    const services = [{ service: exampleService(plan), samples: [], errorRates }];
    return exampleFacts(plan, nowMs, { samples: { services, standbys: [] } });
  },
};

function failing({ service, errorRates }: ServiceSamples, nowMs: number, { overShare, forMs }: Rule): Found[] {
  const above = errorRates.slice(errorRates.findLastIndex(({ share }) => share <= overShare!) + 1);
  const sinceMs = above[0]?.timeMs;
  if (sinceMs === undefined || nowMs - sinceMs < forMs!) return [];
  return [
    {
      subject: service,
      message: `more than ${formatPercentage(overShare!)} of the requests to ${service} fail`,
      sinceMs,
      endangers: `the users of ${service}: some of what they do is refused, or lost`,
      command: 'holdfast services',
    },
  ];
}
