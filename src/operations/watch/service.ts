import { HoldfastError } from '../../foundation/errors.ts';
import { resolveSecret, type Service } from '../../plan/index.ts';
import type { Sample } from '../alerts/facts/samples.ts';
import type { Workspace } from '../workspace.ts';
import { askHttp } from './ask-http.ts';

/** What says that it is well says so in few words. */
const ANSWER_LIMIT_BYTES = 64 * 1024;
const PROMETHEUS_LIMIT_BYTES = 1024 * 1024;
const PROMETHEUS_TIMEOUT_MS = 10_000;

/**
 * Asks a service once. That it does not answer well is what was found, and no error.
 * @throws secret-unavailable; watch-failed where what the plan refers to is no URL; the signal's reason
 */
export async function askService(
  { name, http, timeoutMs }: Service,
  { references, environment: { clock } }: Workspace,
  signal: AbortSignal,
): Promise<Sample> {
  const url = await resolveSecret(http, references);
  assertUrl(url, `service ${name}`);
  const timeMs = clock.nowMs();
  const startedMs = clock.monotonicMs();
  const reply = await askHttp({ url, timeoutMs, limitBytes: ANSWER_LIMIT_BYTES, signal });
  const valueMs = clock.monotonicMs() - startedMs;
  if ('problem' in reply) return { timeMs, error: `it ${reply.problem}` };
  const isGood = reply.status >= 200 && reply.status <= 399;
  return isGood ? { timeMs, valueMs } : { timeMs, valueMs, error: `it answered ${reply.status}` };
}

/**
 * The share of a service's requests that failed, as Prometheus says it, from 0 to 1.
 * @throws secret-unavailable; watch-failed for anything that is not one such number: no answer is not none that failed
 */
export async function askErrorRate(
  { name, errorRate }: Service & Required<Pick<Service, 'errorRate'>>,
  { references }: Workspace,
  signal: AbortSignal,
): Promise<number> {
  const base = await resolveSecret(errorRate.prometheus, references);
  const what = `the error rate of ${name}`;
  assertUrl(base, what);
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/v1/query`;
  url.searchParams.set('query', errorRate.query);
  const question = { timeoutMs: PROMETHEUS_TIMEOUT_MS, limitBytes: PROMETHEUS_LIMIT_BYTES, signal };
  const reply = await askHttp({ ...question, url: url.href });
  if ('problem' in reply) throw unseen(what, `Prometheus ${reply.problem}`, 'Check its address, and that it runs.');
  const found = shareIn(reply.body.toString('utf8'));
  if (typeof found === 'number') return found;
  const hint = 'Run the query in Prometheus: it is to give one number, the share of requests that failed, from 0 to 1.';
  throw unseen(what, `Prometheus answered ${reply.status}, with ${found.not}`, hint);
}

/** The one number in an answer of Prometheus: https://prometheus.io/docs/prometheus/latest/querying/api/. Pure. */
export function shareIn(text: string): number | { not: string } {
  let answer: PrometheusAnswer | null;
  try {
    answer = JSON.parse(text) as PrometheusAnswer | null;
  } catch {
    return { not: 'what is no JSON' };
  }
  if (answer?.status !== 'success') return { not: 'no result' };
  const { resultType, result } = answer.data ?? {};
  let value: unknown;
  if (resultType === 'scalar' && Array.isArray(result)) value = result[1];
  else if (resultType === 'vector' && Array.isArray(result)) {
    if (result.length !== 1) return { not: `${result.length} series where one is wanted` };
    value = (result[0] as { value?: unknown[] } | null)?.value?.[1];
  } else return { not: `a result of type ${typeof resultType === 'string' ? resultType.slice(0, 20) : 'unknown'}` };
  const share = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
  if (!(share >= 0 && share <= 1)) return { not: 'a number that is no share from 0 to 1' };
  return share;
}

interface PrometheusAnswer {
  status?: unknown;
  data?: { resultType?: unknown; result?: unknown };
}

function assertUrl(url: string, what: string): void {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return;
  throw unseen(what, 'its URL is none of https:// or http://', 'Correct the URL where the plan refers to.');
}

function unseen(what: string, why: string, hint: string): HoldfastError {
  return new HoldfastError('watch-failed', `${what} is not known: ${why}`, { hint, retryable: true });
}
