import { HoldfastError } from './errors.ts';

/** An error as programs get it, from the command line and from the API. */
export interface ErrorDocument {
  code: string;
  message: string;
  hint?: string;
  retryable?: true;
  context?: HoldfastError['context'];
  /** Of a plan that is wrong: everything that is. */
  problems?: unknown;
}

export function errorJson(error: HoldfastError): ErrorDocument {
  const problems = (error as { problems?: unknown }).problems;
  return {
    code: error.code,
    message: error.message,
    ...(error.hint !== undefined && { hint: error.hint }),
    ...(error.retryable && { retryable: true }),
    ...(Object.keys(error.context).length > 0 && { context: error.context }),
    ...(problems !== undefined && { problems }),
  };
}

/** For `JSON.stringify`: errors are shown as any other; a bigint as a number. */
export function jsonValue(_key: string, value: unknown): unknown {
  if (value instanceof HoldfastError) return errorJson(value);
  return typeof value === 'bigint' ? Number(value) : value;
}
