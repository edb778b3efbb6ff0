/** Requests over HTTP that steps send. Redirections are not followed: what is secret goes where the plan says, or nowhere. */
import { HoldfastError, isHoldfastError, systemReason } from '../../../foundation/errors.ts';
import { isUntrusted, readBeginning, readRetryAfter } from '../../../foundation/http.ts';
import { shellWord } from '../../../foundation/shell-word.ts';
import { parseDuration } from '../../../foundation/units.ts';
import { resolveReferences, resolveSecret, type StepOf, type TextOrReference } from '../../../plan/index.ts';
import type { AnyContext } from '../any-context.ts';
import { answerOutputs } from './answer-outputs.ts';
import type { Called } from './call-program.ts';
import { type Mask, maskedError, maskOf } from './masking.ts';
import { describeValue, knownSecrets, resolveValues, unavailableReferences } from './references.ts';

export type RequestCall = StepOf<'http'>['http'];

/** How long an answer may take where the step has no `timeout`. */
const USUAL_TIMEOUT_MS = 30_000;
const ANSWER_LIMIT_BYTES = 256 * 1024;
const SAID_CHARACTERS = 300;

/** A request with all that is secret in it. */
interface Prepared {
  url: URL;
  headers: Record<string, string>;
  body: string | undefined;
  /** What may be shown of the address. */
  label: string;
  mask: Mask;
}

/**
 * Sends a request, and resolves to an answer with a status that is expected.
 * @throws request-failed for any other answer or none, retryable where a later one may be another; secret-unavailable; the
 *   signal's reason
 */
export async function sendRequest(context: AnyContext, call: RequestCall): Promise<Called> {
  const { signal, step } = context;
  const request = await prepared(context, call);
  const { label, mask } = request;
  const timeoutMs = parseDuration(step.timeout ?? '') ?? USUAL_TIMEOUT_MS;
  const expired = AbortSignal.timeout(timeoutMs);
  try {
    const { method } = call;
    const { url, headers, body } = request;
    const either = AbortSignal.any([signal, expired]);
    const sent = { method, headers, redirect: 'manual' as const, signal: either, ...(body !== undefined && { body }) };
    const response = await fetch(url, sent);
    const text = await readBeginning(response, ANSWER_LIMIT_BYTES);
    if (!isExpected(call, response.status)) throw refused(context, response, { label, text });
    const { status } = response;
    return {
      summary: `${method} ${label} was answered with ${status}`,
      outputs: { status, ...answerOutputs(text, mask) },
    };
  } catch (error) {
    signal.throwIfAborted();
    if (isHoldfastError(error)) throw maskedError(error, mask);
    throw maskedError(expired.aborted ? late(label, timeoutMs) : unanswered(label, error), mask);
  }
}

async function prepared({ workspace, signal }: AnyContext, call: RequestCall): Promise<Prepared> {
  const references = { ...workspace.references, signal };
  const [text, headers, body] = await Promise.all([
    resolveSecret(call.url, references),
    resolveValues(call.headers, references),
    resolveReferences(call.body, references),
  ]);
  const mask = await maskOf(workspace, [
    ...(typeof call.url === 'string' ? [] : [text]),
    ...headers.secrets,
    ...(await knownSecrets(workspace, call.body)),
  ]);
  const url = urlOf(text);
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  const isJson = typeof body === 'object';
  return {
    url,
    headers: {
      'user-agent': 'holdfast',
      ...(login !== ':' && { authorization: `Basic ${Buffer.from(login).toString('base64')}` }),
      ...(isJson && { 'content-type': 'application/json' }),
      ...headers.values,
    },
    body: isJson ? JSON.stringify(body) : body,
    label: labelOf(call.url, url),
    mask,
  };
}

function isExpected({ expect }: RequestCall, status: number): boolean {
  return expect === undefined ? status >= 200 && status <= 299 : expect.includes(status);
}

/** Where the address is a secret, its host alone may be shown. */
function labelOf(given: TextOrReference, url: URL): string {
  return typeof given === 'string' ? `${url.origin}${url.pathname}` : url.origin;
}

/** @throws request-failed, without the text, which may be secret */
function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  throw new HoldfastError('request-failed', 'the URL is none of https:// or http://', {
    hint: 'Correct the URL in the plan, or where the plan refers to.',
  });
}

function refused(
  { clock }: AnyContext,
  { status, headers }: Response,
  { label, text }: { label: string; text: string },
): HoldfastError {
  const retryAfterMs = readRetryAfter(headers.get('retry-after') ?? undefined, clock.nowMs());
  const leadsElsewhere = status >= 300 && status <= 399;
  return new HoldfastError('request-failed', `${label} answered ${status}, which was not expected`, {
    hint: leadsElsewhere
      ? 'It leads elsewhere, where nothing is sent: put the new URL into the plan.'
      : 'What it said tells why; statuses that mean success stand in `expect`.',
    retryable: status >= 500 || status === 408 || status === 425 || status === 429,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    context: { status, said: oneLine(text) },
  });
}

function late(label: string, timeoutMs: number): HoldfastError {
  return new HoldfastError('request-failed', `${label} did not answer within ${timeoutMs / 1000} s`, {
    hint: 'See whether it is up; `timeout` of the step allows it more time.',
    retryable: true,
  });
}

function unanswered(label: string, error: unknown): HoldfastError {
  // Where fetch fails, what happened is the cause of its error.
  const { cause = error } = (error ?? {}) as { cause?: unknown };
  const { code } = (cause ?? {}) as { code?: unknown };
  const isDistrusted = typeof code === 'string' && isUntrusted(code);
  const why = isDistrusted ? 'its certificate is not trusted' : oneLine(systemReason(cause));
  return new HoldfastError('request-failed', `${label} did not answer: ${why}`, {
    hint: isDistrusted
      ? 'Check the URL. For an authority of your own, set NODE_EXTRA_CA_CERTS to its certificate.'
      : 'Check the URL and the network of this machine.',
    retryable: !isDistrusted,
  });
}

function oneLine(text: string): string {
  return text
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, SAID_CHARACTERS);
}

/** What would keep a request from being sent. Nothing is: only its doing would tell whether it is taken. */
export async function requestObstacles({ workspace }: AnyContext, call: RequestCall): Promise<string[]> {
  const { url, headers = {}, body } = call;
  const obstacles = await unavailableReferences(workspace, [url, Object.values(headers), body]);
  const [known] = typeof url === 'string' ? [url] : await knownSecrets(workspace, url);
  if (known !== undefined && !known.includes('${') && !(URL.canParse(known) && /^https?:\/\//i.test(known)))
    obstacles.push('the URL is none of https:// or http://');
  return obstacles;
}

/** What may be shown of where it goes. */
export function requestLabel({ url, method }: RequestCall): string {
  if (typeof url !== 'string') return `${method} to the URL of ${describeValue(url)}`;
  return `${method} ${URL.canParse(url) ? labelOf(url, new URL(url)) : url}`;
}

/** The request as a command. Secrets stand in it as where they come from. */
export function requestByHand({ url, method, headers = {}, body }: RequestCall): string[] {
  const words = Object.entries(headers).map(([name, value]) => `-H ${shellWord(`${name}: `)}${describeValue(value)}`);
  const isJson = typeof body === 'object' && !('env' in body || 'file' in body);
  if (isJson) words.push("-H 'content-type: application/json'", `-d ${shellWord(JSON.stringify(body))}`);
  else if (body !== undefined) words.push(`-d ${describeValue(body as TextOrReference)}`);
  return [['curl -sS', `-X ${method}`, ...words, describeValue(url)].join(' ')];
}
