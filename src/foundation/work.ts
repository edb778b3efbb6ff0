import type { MessagePort } from 'node:worker_threads';

/**
 * What a module that threads are to do the work of exports as `work`. What it gets and posts goes through the port, which is
 * closed when it is over; what it throws ends the thread.
 * @returns whether all went well, so that the thread may do something else
 */
export type Work<Input> = (input: Input, port: MessagePort) => boolean | Promise<boolean>;

export interface Assignment {
  /** Its URL. */
  module: string;
  input: unknown;
  port: MessagePort;
}

/** To a thread: what it is likely to be assigned next, by its URL. */
export interface Foreseen {
  foreseen: string;
}

/** To a thread: there will be no more work. */
export const END = 'end';
/** From its work, the last message: it may be given more work, or must not. */
export const OVER = 'over';
export const SPENT = 'spent';
