import type { Context, MiddlewareHandler } from 'hono';
import type { Clock } from '../../foundation/clock.ts';
import { type Caller, mayAct, type Role, type TokenCheck } from '../../operations/index.ts';
import type { CallRecord } from './call-record.ts';
import { refuse } from './errors.ts';
import { FailedLogins } from './failed-logins.ts';
import { addressOf, type Served } from './served.ts';

const BEARER = /^Bearer +([^\s]+)$/i;

/** Tells who calls, and keeps from whom may not. */
export class Authentication {
  readonly #tokens: TokenCheck;
  readonly #calls: CallRecord;
  readonly #failed: FailedLogins;

  constructor({ tokens, clock, calls }: { tokens: TokenCheck; clock: Clock; calls: CallRecord }) {
    this.#tokens = tokens;
    this.#calls = calls;
    this.#failed = new FailedLogins(clock);
  }

  /** Lets a call pass whose token has at least this role, and says who it is in `caller`. */
  require(role: Role): MiddlewareHandler<Served> {
    return async (c, next) => {
      const caller = await this.identify(c);
      if (caller instanceof Response) return caller;
      c.set('caller', caller);
      if (mayAct(caller.role, role)) return next();
      const message = `the token ${caller.name} is of the role ${caller.role}, and this takes ${role}`;
      return refuse(c, 'forbidden', message, 'Use a token of that role: `holdfast token add NAME --role ROLE`.');
    };
  }

  /** Who calls, or the answer that says why nobody does. @throws what keeps the tokens from being read */
  async identify(c: Context<Served>): Promise<Caller | Response> {
    const address = addressOf(c);
    const [, secret] = BEARER.exec(c.req.header('Authorization') ?? '') ?? [];
    if (secret === undefined) return this.#challenge(c, 'a token is needed');
    const refusedForMs = this.#failed.refusedForMs(address);
    // A right one is heard from anywhere: behind a proxy all come from one address, and nobody guesses 256 bits.
    const caller = await this.#tokens.callerOf(secret, refusedForMs > 0);
    if (caller !== undefined) return caller;
    if (refusedForMs > 0) {
      c.header('Retry-After', String(Math.ceil(refusedForMs / 1000)));
      return refuse(c, 'too-many-attempts', 'too many wrong tokens came from here', 'Wait, and use a right one.');
    }
    this.#failed.failed(address);
    await this.#calls.loginFailed(address);
    return this.#challenge(c, 'the token is wrong, expired or revoked');
  }

  #challenge(c: Context<Served>, message: string): Response {
    c.header('WWW-Authenticate', 'Bearer realm="holdfast"');
    return refuse(
      c,
      'unauthenticated',
      message,
      'Send `Authorization: Bearer TOKEN`, with one of `holdfast token add`.',
    );
  }
}
