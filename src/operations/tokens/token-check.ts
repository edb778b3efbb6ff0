import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../foundation/clock.ts';
import { settled } from '../../foundation/promises.ts';
import type { OpenedRepository } from '../workspace.ts';
import type { Role } from './role.ts';
import { hashOfSecret, isSecretForm } from './secret.ts';
import { type KeptTokens, readTokens } from './token-objects.ts';
import { keptTokens, stateOf } from './tokens.ts';

/** For so long a revocation elsewhere may not be known here. */
const FRESH_MS = 30_000;
/** After an unknown token the repository is asked again at most so often: guesses cost it nothing. */
const RETRY_MS = 2_000;

/** Who calls, as a token says. */
export interface Caller {
  tokenId: string;
  name: string;
  role: Role;
}

/**
 * Tells whose a token is. It keeps what it has read: while the repository is away, the tokens that are known go on working,
 * since that is when alerts have to be acknowledged.
 */
export class TokenCheck {
  readonly #open: () => Promise<OpenedRepository>;
  readonly #clock: Clock;
  readonly #onProblem: (error: unknown) => void;
  #kept: KeptTokens | undefined;
  /** When it was last tried, on the monotonic clock. */
  #readMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  /** @param onProblem is told why the tokens could not be read anew, where older knowledge is used, or which of them */
  constructor(open: () => Promise<OpenedRepository>, clock: Clock, onProblem: (error: unknown) => void) {
    this.#open = open;
    this.#clock = clock;
    this.#onProblem = onProblem;
  }

  /**
   * Reads the tokens, so that they are known should the repository go away before anybody calls.
   * @throws what keeps them from being read
   */
  prepare(): Promise<void> {
    return this.#refresh(FRESH_MS);
  }

  /** Has what was added or revoked in this process hold at once. */
  forgetAge(): void {
    this.#readMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Whose token it is; undefined where it is nobody's, expired or revoked.
   * @param isGuessed whether it came from where others are guessed: no repository is asked for its sake
   * @throws what keeps the tokens from being read, as long as they never were
   */
  async callerOf(secret: string, isGuessed = false): Promise<Caller | undefined> {
    if (!isSecretForm(secret)) return undefined;
    await this.#refresh(FRESH_MS);
    const found = this.#find(secret);
    if (found !== undefined || isGuessed) return found;
    await this.#refresh(RETRY_MS);
    return this.#find(secret);
  }

  /** Compares with each, in the same time wherever the difference is. */
  #find(secret: string): Caller | undefined {
    const hash = hashOfSecret(secret);
    const kept = this.#kept!;
    let caller: Caller | undefined;
    for (const token of kept.tokens) {
      const isSame = timingSafeEqual(hash, Buffer.from(token.sha256, 'hex'));
      if (isSame && stateOf(token, kept, this.#clock.nowMs()) === 'valid') {
        caller = { tokenId: token.id, name: token.name, role: token.role };
      }
    }
    return caller;
  }

  async #refresh(maximalAgeMs: number): Promise<void> {
    if (this.#clock.monotonicMs() - this.#readMs <= maximalAgeMs) return;
    if (this.#reading === undefined) {
      const reading = this.#read();
      this.#reading = reading;
      await settled(reading);
      this.#reading = undefined;
      await reading;
    } else await this.#reading;
  }

  async #read(): Promise<void> {
    this.#readMs = this.#clock.monotonicMs();
    try {
      const opened = await this.#open();
      this.#kept =
        this.#kept === undefined ? await keptTokens(opened) : await readTokens(opened.repository, this.#kept);
      for (const damage of this.#kept.damaged) this.#onProblem(damage);
    } catch (error) {
      if (this.#kept === undefined) {
        this.forgetAge();
        throw error;
      }
      this.#onProblem(error);
    }
  }
}
