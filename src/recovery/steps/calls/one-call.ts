/** What a step does by either a program or a request. */
import type { Described, Foreseen, StepResult } from '../../step.ts';
import type { AnyContext } from '../any-context.ts';
import { unfilledNames } from '../unfilled.ts';
import { callProgram, type ProgramCall, programByHand, programObstacles } from './call-program.ts';
import { type RequestCall, requestByHand, requestLabel, requestObstacles, sendRequest } from './send-request.ts';

export type OneCall = { exec?: ProgramCall['exec'] | undefined; http?: RequestCall | undefined } & Omit<
  ProgramCall,
  'exec'
>;

/** @param what it is done for, as a sentence begins: `has keys revoked` */
export function describeCall(context: AnyContext, { http, exec, ...program }: OneCall, what?: string): Described {
  const open = unfilledNames(context.step);
  const known =
    open.length === 0 ? '' : `, with ${open.map((name) => `\${${name}}`).join(', ')} as it is known by then`;
  const does = (how: string) => `${what === undefined ? how : `${what}: ${how}`}${known}`;
  if (exec === undefined) return { does: does(`sends ${requestLabel(http!)}`), byHand: requestByHand(http!) };
  return { does: does(`runs ${exec.join(' ')}`), byHand: programByHand(context, { ...program, exec }) };
}

/** The same, with what would keep the call from being made. */
export async function foreseeCall(context: AnyContext, call: OneCall, what?: string): Promise<Foreseen> {
  const { exec, http } = call;
  const obstacles =
    exec === undefined ? await requestObstacles(context, http!) : await programObstacles(context, { ...call, exec });
  return { ...describeCall(context, call, what), obstacles };
}

/** @param what was done with it, as a sentence begins; nothing more than the call, when left out */
export async function runCall(context: AnyContext, call: OneCall, what?: string): Promise<StepResult> {
  const { exec, http } = call;
  const { summary, outputs } =
    exec === undefined ? await sendRequest(context, http!) : await callProgram(context, { ...call, exec });
  return { outcome: 'done', summary: what === undefined ? summary : `${what}: ${summary}`, outputs };
}

/** Methods that do the same however often they are sent. Source: RFC 9110, 9.2.2. */
const IDEMPOTENT: readonly string[] = ['GET', 'HEAD', 'PUT', 'DELETE'];

/** Whether a call that may have been made already can be made again. Of a program nothing tells but the plan. */
export function afterDeathOfCall({ http }: OneCall, repeatable: boolean): 'again' | 'ask' {
  return repeatable || (http !== undefined && IDEMPOTENT.includes(http.method)) ? 'again' : 'ask';
}
