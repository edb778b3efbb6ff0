import type { AlertMessage, Channel, Message } from '../../alert/index.ts';
import type { HoldfastError } from '../../foundation/errors.ts';
import type { Pause } from '../../foundation/pause.ts';
import { reportable, type Workspace } from '../workspace.ts';
import { type Attempted, deliver } from './deliver.ts';
import { fallbackChannels } from './fallback.ts';
import type { Recorder } from './recorder.ts';

export interface Delivery {
  /** The name of a channel of the plan. */
  channel: string;
  message: AlertMessage;
  /** False where somebody was told instead when the channel failed before: nobody is told twice then. */
  fallsBack?: boolean;
}

/** What became of a delivery. */
export interface Delivered extends Attempted {
  channel: string;
  outcome: 'delivered' | 'failed';
  /** Of a channel that failed: who was told instead, until one took it. */
  instead: Delivered[];
  /** Why it could not be recorded what became of it. */
  unrecorded?: HoldfastError;
}

export interface NotifyOptions {
  /** Between attempts. */
  pause: Pause;
  record: Recorder;
}

/**
 * Delivers messages, to channels side by side and to each in the order given. A delivery is tried up to three times within a
 * minute and recorded as `alert.notified`, whatever became of it; longer than that is for whoever calls. What is raised or
 * updated and cannot be delivered goes to the next channel that may hear of it and is not told anyway.
 * @returns what became of each delivery, in their order: no channel's failure is thrown
 * @throws the reason of the workspace's signal
 */
export async function notify(
  workspace: Workspace,
  deliveries: readonly Delivery[],
  options: NotifyOptions,
): Promise<Delivered[]> {
  const messenger = new Messenger(workspace, options);
  const told = deliveries.map(async (delivery): Promise<Delivered> => {
    const { channel, message, fallsBack = true } = delivery;
    const delivered = await messenger.tell(channel, message);
    if (delivered.outcome === 'delivered' || !fallsBack || !isNews(message)) return delivered;
    const candidates = fallbackChannels(workspace.plan, channel, message).filter(
      (name) => !deliveries.some((other) => other.channel === name && coversAll(other.message, message)),
    );
    return { ...delivered, instead: await messenger.tellInstead(channel, message, candidates) };
  });
  return Promise.all(told);
}

/** Somebody must hear of it: who was never told that something is wrong need not hear that it is over. */
function isNews({ kind }: Message): boolean {
  return kind === 'raised' || kind === 'updated';
}

function coversAll({ alerts }: AlertMessage, other: AlertMessage): boolean {
  return other.alerts.every(({ id }) => alerts.some((each) => each.id === id));
}

class Messenger {
  readonly #workspace: Workspace;
  readonly #options: NotifyOptions;
  readonly #channels = new Map<string, Promise<Channel>>();
  /** What is on its way to each channel, so that nothing overtakes. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #failing = new Set<string>();

  constructor(workspace: Workspace, options: NotifyOptions) {
    this.#workspace = workspace;
    this.#options = options;
  }

  tell(channel: string, message: AlertMessage, insteadOf?: string): Promise<Delivered> {
    const turn = Promise.allSettled([this.#turns.get(channel)]).then(() => this.#tell(channel, message, insteadOf));
    this.#turns.set(channel, turn);
    return turn;
  }

  /** Tells one after the other, until one has taken it. */
  async tellInstead(failed: string, message: AlertMessage, candidates: readonly string[]): Promise<Delivered[]> {
    const tried: Delivered[] = [];
    const reason = `${message.reason}; instead of ${failed}`;
    for (const channel of candidates) {
      tried.push(await this.tell(channel, { ...message, reason }, failed));
      if (tried.at(-1)!.outcome === 'delivered') break;
    }
    return tried;
  }

  async #tell(channel: string, message: AlertMessage, insteadOf: string | undefined): Promise<Delivered> {
    const { signal } = this.#workspace.environment;
    const patient = !this.#failing.has(channel);
    const attempted = await deliver(() => this.#open(channel), message, { ...this.#options, signal, patient });
    const outcome = attempted.error === undefined ? 'delivered' : 'failed';
    if (outcome === 'failed') this.#failing.add(channel);
    const unrecorded = await this.#record(channel, message, attempted, insteadOf);
    return { channel, ...attempted, outcome, instead: [], ...(unrecorded && { unrecorded }) };
  }

  /** What failed is opened anew by the next attempt: a secret may be there by then. */
  #open(name: string): Promise<Channel> {
    const known = this.#channels.get(name);
    if (known !== undefined) return known;
    const opened = this.#workspace.createChannel(name);
    this.#channels.set(name, opened);
    opened.catch(() => this.#channels.delete(name));
    return opened;
  }

  async #record(
    channel: string,
    { kind, alerts, reason }: AlertMessage,
    { attempts, error }: Attempted,
    insteadOf: string | undefined,
  ): Promise<HoldfastError | undefined> {
    try {
      await this.#options.record.append('alert.notified', {
        ...{ alerts: alerts.map(({ id }) => id), news: kind, channel, reason, attempts },
        ...(insteadOf !== undefined && { insteadOf }),
        ...(error === undefined
          ? { outcome: 'delivered' as const }
          : { outcome: 'failed' as const, code: error.code, message: error.message }),
      });
      return undefined;
    } catch (thrown) {
      return reportable(thrown, this.#workspace.environment.signal);
    }
  }
}
