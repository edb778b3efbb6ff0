import type { HoldfastError } from '../foundation/errors.ts';

/** An error as the command line shows it. */

/** For people: what happened, what to do next, and with HOLDFAST_DEBUG the stack and causes. */
export function errorText(error: HoldfastError, debug: boolean): string {
  const lines = [`holdfast: ${error.message}`];
  const said = error.context['said'];
  if (typeof said === 'string' && said !== '') lines.push(indent(said));
  if (error.hint !== undefined) lines.push(indent(error.hint));
  if (debug) lines.push(stackOf(error));
  return lines.join('\n');
}

/** For programs. */
export function errorJson(error: HoldfastError): unknown {
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

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
