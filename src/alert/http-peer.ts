import type { Clock } from '../foundation/clock.ts';
import { type ErrorDetails, HoldfastError, messageOf, systemCode, systemReason } from '../foundation/errors.ts';
import { isUntrusted, plainCause, readBeginning, readRetryAfter } from '../foundation/http.ts';
import { redactor, secretsOfUrl } from '../foundation/redaction.ts';

/** How long a server may take to answer. */
const TIMEOUT_MS = 10_000;
/** As much of an answer is read: what channels are told is short. */
const ANSWER_LIMIT_BYTES = 64 * 1024;
const SAID_CHARACTERS = 300;

export interface HttpPeerOptions {
  /** The name of the channel. */
  name: string;
  /** Wholly secret, but for its host. It may hold a user and a password, which are sent as basic authentication. */
  url: string;
  /** Other secrets, which appear in no error. */
  secrets?: readonly string[];
  clock: Clock;
  /** How long it may take to answer; 10 s by default. */
  timeoutMs?: number;
}

export interface HttpAnswer {
  status: number;
  /** The first 64 KiB of the body. */
  text: string;
}

/** The server of a channel. Certificates are verified, redirections are not followed. */
export class HttpPeer {
  readonly #options: HttpPeerOptions;
  readonly #url: URL;
  readonly #redact: (text: string) => string;
  readonly #authorization: Record<string, string>;

  /** @throws channel-failed for what is no URL of HTTP */
  constructor(options: HttpPeerOptions) {
    const { name, secrets = [] } = options;
    // What URL throws has the whole of it.
    const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      throw new HoldfastError('channel-failed', `channel ${name}: its URL is none of https:// or http://`, {
        hint: 'Correct the URL in the plan, or where the plan refers to.',
        context: { channel: name },
      });
    }
    const { username, password } = url;
    this.#options = options;
    this.#redact = redactor([...secrets, ...secretsOfUrl(url)]);
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    this.#authorization =
      credentials === ':' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
    url.username = '';
    url.password = '';
    this.#url = url;
  }

  /**
   * Sends a request, and resolves to an answer from 200 to 299.
   * @throws channel-failed for any other answer or none, retryable where a later one may be another; the signal's reason
   */
  async ask(
    request: { method: 'GET' | 'POST'; headers?: Readonly<Record<string, string>>; body?: string },
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS;
    const expired = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(this.#url, {
        ...request,
        headers: { 'user-agent': 'holdfast', ...this.#authorization, ...request.headers },
        redirect: 'manual',
        signal: AbortSignal.any([signal, expired]),
      });
      const answer = { status: response.status, text: await readBeginning(response, ANSWER_LIMIT_BYTES) };
      if (!response.ok) throw this.#refused(response, answer);
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof HoldfastError) throw error;
      if (expired.aborted) {
        throw this.failed(`did not answer within ${timeoutMs / 1000} s`, { retryable: true });
      }
      throw this.#unanswered(error);
    }
  }

  /** The error of this channel. @param what completes "the server …" */
  failed(what: string, details: ErrorDetails = {}): HoldfastError {
    const { name } = this.#options;
    return new HoldfastError('channel-failed', `channel ${name}: ${this.#url.origin} ${this.#redact(what)}`, {
      ...details,
      context: { channel: name, server: this.#url.origin, ...details.context },
    });
  }

  /** An answer that says that the message was not taken, whatever its status. */
  contradicted({ status, text }: HttpAnswer): HoldfastError {
    return this.failed(`answered ${status}, and not as this kind of channel does`, {
      retryable: true,
      hint: 'See whether the URL leads to the service, and what stands between: a proxy, or a page to log in.',
      context: { status, said: this.#said(text) },
    });
  }

  #said(text: string): string {
    return this.#redact(text)
      .replace(/\p{Cc}+/gu, ' ')
      .trim()
      .slice(0, SAID_CHARACTERS);
  }

  #refused({ headers }: Response, { status, text }: HttpAnswer): HoldfastError {
    const retryAfterMs = readRetryAfter(headers.get('retry-after') ?? undefined, this.#options.clock.nowMs());
    return this.failed(`answered ${status}`, {
      hint: hintFor(status),
      retryable: status >= 500 || status === 408 || status === 425 || status === 429,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      context: { status, said: this.#said(text) },
    });
  }

  #unanswered(error: unknown): HoldfastError {
    // Where fetch fails, what happened is the cause of its error.
    const { cause = error } = (error ?? {}) as { cause?: unknown };
    const { code } = (cause ?? {}) as { code?: unknown };
    const said = new Error(this.#redact(messageOf(cause)));
    const plain = plainCause(said);
    // What does not speak TLS may be another server for a moment.
    if (typeof code === 'string' && isUntrusted(code) && !code.startsWith('ERR_SSL')) {
      return this.failed(`has a certificate that is not trusted: ${said.message}`, {
        hint: 'Check the URL. For an authority of your own, set NODE_EXTRA_CA_CERTS to its certificate.',
        cause: plain,
      });
    }
    const reason = systemCode(cause) === undefined ? this.#said(said.message) : systemReason(cause);
    return this.failed(`did not answer: ${reason}`, {
      retryable: true,
      hint: 'Check the URL and the network of this machine.',
      cause: plain,
    });
  }
}

function hintFor(status: number): string {
  if (status >= 300 && status < 400) return 'It leads elsewhere, where nothing is sent: put the new URL into the plan.';
  if (status === 401 || status === 403) return 'Check the key or the secret of the channel.';
  if (status === 404 || status === 410) return 'Check the URL of the channel: what it led to is gone.';
  if (status >= 500 || status === 429) return 'The service is down or busy; it is tried again.';
  return 'What the service said tells why.';
}
