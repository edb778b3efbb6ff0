import type { IncomingHttpHeaders } from 'node:http';
import { HoldfastError, isHoldfastError, systemCode } from '../../foundation/errors.ts';
import { plainCause, readRetryAfter } from '../../foundation/http.ts';
import { failureOfTransport } from '../index.ts';
import { CredentialsError } from './gcs-client.ts';

export interface FailedCall {
  /** Completes "cannot …". */
  what: string;
  /** The permission of Cloud Storage that the call needs. */
  permission: string;
  key?: string;
  store: string;
  bucket: string;
}

/** An answer that is none of success, with what its body says. */
export interface Refusal {
  status: number;
  headers: IncomingHttpHeaders;
  /** Google's word for it; empty where there is none. */
  reason: string;
  message: string;
}

type Details = ConstructorParameters<typeof HoldfastError>[2];

const LONGEST_MESSAGE = 500;
/** Reasons that mean nothing but: not now, whatever the status. */
const PASSING = ['rateLimitExceeded', 'userRateLimitExceeded', 'backendError', 'internalError', 'conflict'];
const PASSING_STATUS = [408, 409, 429];
/** What was sent did not arrive as it was sent. */
const ALTERED = /(?:md5|crc32c|hash).*match/i;
const NO_BUCKET = /bucket does not exist/i;
const LOCKED = ['retentionPolicyNotMet', 'objectUnderActiveHold', 'objectLockedRetentionPolicyNotMet'];

/** What the body of such an answer says; not all of them are JSON. */
export function readRefusal(status: number, headers: IncomingHttpHeaders, body: string): Refusal {
  const { message, errors } = errorIn(body);
  const said = message ?? (/^\s*</.test(body) ? '' : body);
  return { status, headers, reason: errors?.[0]?.reason ?? '', message: said.trim().slice(0, LONGEST_MESSAGE) };
}

function errorIn(body: string): { message?: string; errors?: { reason?: string }[] } {
  try {
    const { error } = JSON.parse(body) as { error?: object | string };
    return typeof error === 'object' && error !== null ? error : {};
  } catch {
    return {};
  }
}

/** Whether a missing thing is the bucket, as far as the answer says. */
export function missingThing({ status, message }: Refusal): 'bucket' | 'object' | 'unknown' | undefined {
  if (status !== 404 && status !== 410) return undefined;
  if (NO_BUCKET.test(message)) return 'bucket';
  return /no such object/i.test(message) ? 'object' : 'unknown';
}

/** The boundary's error for an answer that is none of success. */
export function failureOfAnswer(refusal: Refusal, call: FailedCall): HoldfastError {
  const { status, headers, reason, message } = refusal;
  const { what, key, store, bucket } = call;
  const fail = (to: HoldfastError['code'], text: string, details: Details = {}): HoldfastError =>
    new HoldfastError(to, text, {
      context: { ...(key === undefined ? {} : { key }), store, status, answer: reason },
      ...details,
    });
  const said = `${reason === '' ? '' : ` ${reason}`}${message === '' ? '' : `: ${message}`}`;
  const because = `cannot ${what}: the server answers ${status}${said}`;
  const missing = missingThing(refusal);
  if (missing === 'bucket') return noBucket(call);
  if (missing !== undefined && key !== undefined) return fail('object-missing', `${key} is not in ${store}`);
  if (status === 412 && key !== undefined) return fail('object-exists', `${key} is in ${store} already`);
  if (status === 400 && ALTERED.test(message)) {
    return fail('store-unreachable', `cannot ${what}: it was altered on its way`, { retryable: true });
  }
  if (status === 400 && /requester pays/i.test(message)) {
    const hint = `Whoever asks pays for ${bucket}: name the project that does, \`gcs: { userProject: … }\`.`;
    return fail('store-failed', because, { hint });
  }
  if (PASSING.includes(reason) || PASSING_STATUS.includes(status) || (status >= 500 && status !== 501)) {
    const retryAfterMs = readRetryAfter(headers['retry-after'], Date.now());
    return fail('store-unreachable', because, {
      retryable: true,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  if (status === 401 || status === 403) {
    return fail('permission-denied', because, { hint: hintOfRefusal(refusal, call) });
  }
  return fail('store-failed', because);
}

/** The error for a bucket that is not there. */
export function noBucket({ bucket, store }: FailedCall): HoldfastError {
  return new HoldfastError('no-bucket', `there is no bucket ${bucket} for ${store}`, {
    hint: 'Check the bucket and the endpoint in the plan. Where it is to be made, `holdfast init` does so.',
    context: { bucket, store },
  });
}

function hintOfRefusal({ status, reason, message }: Refusal, { permission, bucket }: FailedCall): string {
  if (status === 401) return 'The server does not take these credentials: renew them where they come from.';
  if (LOCKED.includes(reason)) return 'It is kept until its time is over; nobody can remove it before.';
  const named = /(storage\.\w+\.\w+) access/.exec(message)?.[1];
  return `Allow the credentials ${named ?? permission} on ${bucket}.`;
}

/** The boundary's error where no answer came, or where it could not even be asked for. */
export function failureBeforeAnswer(error: unknown, call: FailedCall): HoldfastError {
  if (isHoldfastError(error)) return error;
  if (!(error instanceof CredentialsError)) return failureOfTransport(error, call);
  const { what, key, store } = call;
  const details = { context: { ...(key === undefined ? {} : { key }), store }, cause: plainCause(error) };
  if (/could not load the default credentials/i.test(error.message)) {
    return new HoldfastError('permission-denied', `cannot ${what}: no credentials were found`, {
      ...details,
      hint: "Give them as Google's tools take them: `gcloud auth application-default login`, GOOGLE_APPLICATION_CREDENTIALS, or the service account of the machine.",
    });
  }
  const because = `cannot ${what}: there is no access token: ${error.message}`;
  if (isPassing(error.cause)) return new HoldfastError('store-unreachable', because, { ...details, retryable: true });
  return new HoldfastError('permission-denied', because, {
    ...details,
    hint: "Renew the credentials where Google's tools take them from: GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`.",
  });
}

/** Whether those who give out tokens could not be reached, or cannot just now. */
function isPassing(cause: unknown): boolean {
  const { response } = cause as { response?: { status?: number } };
  const status = response?.status;
  return status === undefined ? systemCode(cause) !== undefined : status === 429 || status >= 500;
}
