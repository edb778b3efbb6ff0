import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Caller } from '../../operations/index.ts';

/** What a call has: from the server that it came through, and from what was found out about it on the way. */
export interface Served {
  Bindings: HttpBindings;
  Variables: { requestId: string; caller: Caller };
}

/** Who calls, as soon as that is known. */
export function callerOf(c: Context<Served>): Caller | undefined {
  return c.get('caller') as Caller | undefined;
}

/** The address that a call came from: of a proxy, where one stands between. What a caller says of itself is not believed. */
export function addressOf(c: Context<Served>): string {
  return c.env.incoming.socket.remoteAddress ?? 'unknown';
}
