import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { type ErrorDocument, errorJson } from '../../foundation/error-json.ts';
import { type ErrorCode, HoldfastError, isHoldfastError, messageOf } from '../../foundation/errors.ts';
import type { Log } from '../log.ts';
import { REFUSALS, type RefusalCode } from './refusals.ts';

/** What is not here is 500: something went wrong, and not with what was asked for. */
const STATUSES: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  'bad-usage': 400,
  'unknown-source': 404,
  'unknown-repository': 404,
  'unknown-group': 404,
  'unknown-snapshot': 404,
  'unknown-token': 404,
  'unknown-task': 404,
  'unknown-alert': 404,
  'unknown-approval': 404,
  'unknown-incident': 404,
  'unknown-runbook': 404,
  'answer-refused': 409,
  'incident-exists': 409,
  'incident-open': 409,
  'incident-running': 409,
  'approval-needed': 409,
  'approval-refused': 403,
  'repository-locked': 409,
  'store-unreachable': 503,
  'source-unreachable': 503,
  interrupted: 503,
  'timed-out': 504,
};

export function refuse(c: Context, code: RefusalCode, message: string, hint?: string): Response {
  const document: ErrorDocument = { code, message, ...(hint !== undefined && { hint }) };
  return c.json(document, REFUSALS[code]);
}

export function statusOf(error: HoldfastError): ContentfulStatusCode {
  return STATUSES[error.code] ?? 500;
}

/**
 * The answer to whatever was thrown. What nobody foresaw is told to the log alone, since its message may hold anything: the
 * answer says where to look.
 */
export function answerError(error: unknown, c: Context, log: Log): Response {
  if (error instanceof HTTPException) {
    if (error.status === 415)
      return refuse(c, 'not-json', 'the body is not JSON', 'Send `Content-Type: application/json`.');
    if (error.status < 500) return c.json(errorJson(new HoldfastError('bad-usage', messageOf(error))), error.status);
  }
  if (isHoldfastError(error) && error.code !== 'internal') {
    const status = statusOf(error);
    if (status >= 500)
      log.error('call failed', { requestId: c.get('requestId'), code: error.code, error: error.message });
    return c.json(errorJson(error) as object, status);
  }
  log.error('call failed', {
    requestId: c.get('requestId'),
    error: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  const hint = `This is a defect of Holdfast. Its log says more, under the request ${c.get('requestId')}.`;
  return c.json(errorJson(new HoldfastError('internal', 'the call failed', { hint })), 500);
}
