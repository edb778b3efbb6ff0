import { HoldfastError, isHoldfastError, messageOf } from '../../foundation/errors.ts';
import { plainCause, readRetryAfter } from '../../foundation/http.ts';
import { failureOfTransport } from '../index.ts';

export interface FailedCall {
  /** Completes "cannot …". */
  what: string;
  /** The S3 permission that the call needs. */
  permission: string;
  key?: string;
  store: string;
  bucket: string;
  /** Milliseconds since 1970. */
  nowMs: number;
}

/** What an error of the AWS client may say; all of it may be missing. */
interface ClientError {
  name?: string;
  Code?: string;
  Region?: string;
  $metadata?: { httpStatusCode?: number };
  $response?: { statusCode?: number; headers?: Record<string, string> };
}

interface Reading extends FailedCall {
  code: string;
  status: number | undefined;
  headers: Record<string, string>;
  region: string | undefined;
  text: string;
}

type Details = ConstructorParameters<typeof HoldfastError>[2];

/** Answers that say that the credentials are no longer good, where the chain may have newer ones. */
const EXPIRED = ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'RequestExpired'];
/** Answers that mean nothing but: not now. */
const PASSING = [
  'SlowDown',
  'ServiceUnavailable',
  'InternalError',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
  'TooManyRequestsException',
  'RequestTimeout',
  'OperationAborted',
  'ConditionalRequestConflict',
];
/** What was sent did not arrive as it was sent. */
const ALTERED = ['BadDigest', 'IncompleteBody', 'XAmzContentSHA256Mismatch', 'InvalidDigest'];
const FULL = ['QuotaExceeded', 'InsufficientStorage', 'XMinioStorageFull'];
const OTHER_REGION = [
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'TemporaryRedirect',
  'IllegalLocationConstraintException',
];
const HINT_OFFLINE =
  'It lies on a storage class that must be asked for it hours before. `holdfast restore` asks for what it needs of an archive whose `storageClass` in the plan is GLACIER or DEEP_ARCHIVE; what was moved there otherwise is to be restored with the tools of the store.';

/** Whether newer credentials may help. An answer without a body does not say what was bad about the request. */
export function isExpired(error: unknown): boolean {
  const code = codeOf(error as ClientError);
  const isUnexplained =
    (error as ClientError).$metadata?.httpStatusCode === 400 && ['Unknown', 'BadRequest'].includes(code);
  return EXPIRED.includes(code) || isUnexplained;
}

/** The boundary's error for whatever the AWS client threw. No part of a request or of credentials is in it. */
export function s3Error(error: unknown, call: FailedCall): HoldfastError {
  if (isHoldfastError(error)) return error;
  const raw = (error ?? {}) as ClientError;
  const status = raw.$metadata?.httpStatusCode ?? raw.$response?.statusCode;
  const code = codeOf(raw);
  const reading: Reading = {
    ...call,
    ...{ code, status, region: raw.Region, headers: raw.$response?.headers ?? {} },
    text: describe(error, code, status),
  };
  return status === undefined ? failureBeforeAnswer(error, reading) : failureOfAnswer(error, reading);
}

function codeOf({ Code, name }: ClientError): string {
  return Code ?? name ?? '';
}

function describe(error: unknown, code: string, status: number | undefined): string {
  const message = messageOf(error);
  // What the client says where the server said nothing.
  const said = message === 'UnknownError' || message === '' ? '' : `: ${message}`;
  return status === undefined ? message : `the server answers ${status}${code === 'Unknown' ? '' : ` ${code}`}${said}`;
}

function failureOfAnswer(error: unknown, reading: Reading): HoldfastError {
  const { code, status, what, key, store, bucket, headers } = reading;
  const fail = (to: HoldfastError['code'], message: string, details: Details = {}): HoldfastError =>
    new HoldfastError(to, message, {
      context: { ...(key === undefined ? {} : { key }), store, status, answer: code },
      cause: plainCause(error),
      ...details,
    });
  const because = `cannot ${what}: ${reading.text}`;
  if (code === 'NoSuchBucket') return noBucket(reading, error);
  // A version may also be a marker, which has no content.
  const isMarker = code === 'MethodNotAllowed' && key !== undefined;
  if (code === 'NoSuchKey' || isMarker || (status === 404 && key !== undefined))
    return fail('object-missing', `${key} is not in ${store}`);
  if (code === 'InvalidObjectState')
    return fail('object-offline', `${key} in ${store} is offline`, { hint: HINT_OFFLINE });
  if (status === 412) return fail('object-exists', `${key} is in ${store} already`);
  if (ALTERED.includes(code)) {
    return fail('store-unreachable', `cannot ${what}: it was altered on its way`, { retryable: true });
  }
  if (FULL.includes(code) || status === 507) {
    return fail('disk-full', because, { hint: `Free some space in ${bucket}, or raise its quota.` });
  }
  if (OTHER_REGION.includes(code) || status === 301 || status === 307) {
    return fail('store-failed', because, { hint: hintOfRegion(reading) });
  }
  if (PASSING.includes(code) || status === 429 || (status !== undefined && status >= 500 && status !== 501)) {
    const retryAfterMs = readRetryAfter(headers['retry-after'], reading.nowMs);
    return fail('store-unreachable', because, {
      retryable: true,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  if (status === 401 || status === 403 || EXPIRED.includes(code)) {
    return fail('permission-denied', because, { hint: hintOfRefusal(reading) });
  }
  // An answer that was cut off cannot be read, although it began well.
  if (status !== undefined && status < 300) {
    return fail('store-unreachable', `cannot ${what}: the answer cannot be read: ${messageOf(error)}`, {
      retryable: true,
    });
  }
  return fail('store-failed', because);
}

function noBucket({ bucket, store }: FailedCall, cause: unknown): HoldfastError {
  return new HoldfastError('no-bucket', `there is no bucket ${bucket} for ${store}`, {
    hint: 'Check the bucket, the region and the endpoint in the plan. Where it is to be made, `holdfast init` does so.',
    context: { bucket, store },
    cause: plainCause(cause),
  });
}

function hintOfRegion({ region, headers, bucket }: Reading): string {
  const right = region ?? headers['x-amz-bucket-region'];
  if (right === undefined) return `Name the region of ${bucket} in the plan: \`s3: { region: … }\`.`;
  return `The bucket is in ${right}: write \`s3: { region: ${right} }\` in the plan.`;
}

function hintOfRefusal({ code, permission, bucket, headers, nowMs }: Reading): string {
  if (code === 'RequestTimeTooSkewed') {
    const seconds = Math.round((nowMs - Date.parse(headers['date'] ?? '')) / 1000);
    const off = Number.isNaN(seconds)
      ? ''
      : `: it is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the server's`;
    return `Set the clock of this machine${off}.`;
  }
  if (EXPIRED.includes(code)) return 'The credentials have expired: renew them where they come from.';
  if (['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidToken'].includes(code)) {
    return 'The server does not know these credentials: check the access key and its secret, in the environment or the profile that they come from.';
  }
  return `Allow the credentials ${permission} on ${bucket}.`;
}

/** No answer came, or not all of it. */
function failureBeforeAnswer(error: unknown, reading: Reading): HoldfastError {
  const { what, code, text, store, key } = reading;
  const details = { context: { ...(key === undefined ? {} : { key }), store }, cause: plainCause(error) };
  if (code === 'CredentialsProviderError' || /could not load credentials/i.test(text)) {
    return new HoldfastError('permission-denied', `cannot ${what}: no credentials were found`, {
      ...details,
      hint: "Give them as AWS's tools take them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the role of the machine.",
    });
  }
  if (/region is missing/i.test(text)) {
    return new HoldfastError('store-failed', `cannot ${what}: no region is named`, {
      ...details,
      hint: 'Name it in the plan, `s3: { region: … }`, or set AWS_REGION.',
    });
  }
  return failureOfTransport(error, reading);
}
