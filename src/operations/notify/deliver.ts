import type { Channel, Message } from '../../alert/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Pause } from '../../foundation/pause.ts';
import { reportable } from '../workspace.ts';

/** Before the second attempt, and before the third, which is the last. */
const WAITS_MS = [1000, 5000] as const;
/** What a channel wants to be left alone for longer than that is given up: another one can be told meanwhile. */
const LONGEST_WAIT_MS = 30_000;

/** What became of a message to one channel. */
export interface Attempted {
  attempts: number;
  /** Of the last attempt; absent once the other side has taken the message. */
  error?: HoldfastError;
}

export interface Attempts {
  /** Between attempts. */
  pause: Pause;
  signal: AbortSignal;
  /** False for a single attempt. */
  patient?: boolean;
}

/**
 * Sends a message to a channel, up to three times within a minute where trying again may help.
 * @param open makes the channel, which may fail as sending does: a reference of the plan cannot be read
 * @throws the reason of the signal, and nothing else
 */
export function deliver(open: () => Promise<Channel>, message: Message, attempts: Attempts): Promise<Attempted> {
  const send = async (): Promise<void> => {
    const channel = await open();
    if (!channel.takes(message.kind)) throw takesNone(message.kind);
    await channel.send(message, attempts.signal);
  };
  return persist(send, attempts);
}

/**
 * Says to a heartbeat that all is well, as persistently.
 * @throws the reason of the signal, and nothing else
 */
export function beat(open: () => Promise<Channel>, attempts: Attempts): Promise<Attempted> {
  const send = async (): Promise<void> => {
    const channel = await open();
    if (channel.beat === undefined) throw new HoldfastError('internal', 'the channel is no heartbeat');
    await channel.beat(attempts.signal);
  };
  return persist(send, attempts);
}

async function persist(send: () => Promise<void>, { pause, signal, patient = true }: Attempts): Promise<Attempted> {
  const waits: readonly number[] = patient ? WAITS_MS : [];
  for (let attempts = 1; ; attempts++) {
    const error = await failureOf(send, signal);
    if (error === undefined) return { attempts };
    const backOffMs = waits[attempts - 1];
    const waitMs = Math.max(backOffMs ?? 0, error.retryAfterMs ?? 0);
    if (!error.retryable || backOffMs === undefined || waitMs > LONGEST_WAIT_MS) return { attempts, error };
    await pause(waitMs);
  }
}

async function failureOf(send: () => Promise<void>, signal: AbortSignal): Promise<HoldfastError | undefined> {
  try {
    await send();
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return reportable(error, signal);
  }
}

function takesNone(kind: Message['kind']): HoldfastError {
  const what = kind === 'report' || kind === 'test' ? `${kind}s` : 'alerts';
  return new HoldfastError('channel-failed', `it takes no ${what}`, { hint: 'Name another channel in the plan.' });
}
