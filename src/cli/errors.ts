import type { HoldfastError } from '../foundation/errors.ts';

/** An error as the command line shows it. */

/** For people: what happened, what to do next, and with HOLDFAST_DEBUG the stack and causes. */
export function errorText(error: HoldfastError, debug: boolean): string {
  const lines = [`holdfast: ${continued(error.message)}`];
  lines.push(...errorDetails(error).map(indent));
  if (debug) lines.push(stackOf(error));
  return lines.join('\n');
}

const ELSEWHERE =
  '`holdfast check --read-data` names all that this concerns, and `--repair` puts back what a mirror has. Another recovery point, or a copy that `--repository` names, may have what is needed.';

/** What to do next where whoever threw could not know: of what a repository has lost, which is read in many places. */
function hintFor({ code, context }: HoldfastError): string | undefined {
  const isPack = String(context['key']).startsWith('data/');
  return code === 'repository-damaged' || (code === 'object-missing' && isPack) ? ELSEWHERE : undefined;
}

/** What a person needs beside the message: the reason or the words of another program, and what to do next. */
export function errorDetails(error: HoldfastError): string[] {
  const { message, hint = hintFor(error), context } = error;
  const given = [context['reason'], context['said']].filter((text) => typeof text === 'string');
  return [...given, hint].filter(
    (text): text is string => text !== undefined && text !== '' && !message.includes(text),
  );
}

/** A message of several lines, of which no other than the first looks as if another message began. */
function continued(message: string): string {
  return message.replaceAll('\n', '\n  ');
}

export function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
