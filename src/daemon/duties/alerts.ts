import { messageOf } from '../../foundation/errors.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import { settled } from '../../foundation/promises.ts';
import {
  acknowledgementLinks,
  createLookout,
  type Lookout,
  type Watched,
  type Wellbeing,
  type Workspace,
} from '../../operations/index.ts';
import type { Duty, DutyContext } from '../duty.ts';
import type { Log } from '../log.ts';

/** So often, where no run ends meanwhile; and where nothing is wrong, and only time can make it so. */
const EVERY_MS = 15_000;
const QUIET_EVERY_MS = 60_000;
/** For so long a look waits for channels: most have answered by then, and a slow one puts off no other look. */
const SENDING_MS = 1000;

export interface AlertDuty extends Duty {
  /** What the last look found; undefined before the first. */
  seen(): Wellbeing | undefined;
}

/**
 * Looks for what is wrong, and tells those whose turn it is: at once when a run has ended, every 15 seconds while something is
 * wrong or services are watched, and else every minute.
 * @param watched what others know of services, standbys and what is to come
 * @param often how often instead: for who lets much time pass
 */
export function alertDuty(
  { workspace, record, clock, log, publicUrl }: DutyContext,
  watched: Watched = {},
  often?: { everyMs: number },
): AlertDuty {
  const pause = pauseUntilAborted(workspace.environment.signal);
  const links = new Links(workspace, log, publicUrl);
  let lookout: Lookout | undefined;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let ended = -1;
  let everyMs = often?.everyMs ?? EVERY_MS;
  return {
    name: 'alerts',
    // A clock that was set back must not put it off.
    nextMs: (nowMs) => (record.runs.ended !== ended || lookedMs > nowMs ? nowMs : lookedMs + everyMs),
    async run() {
      const fresh = record.runs.ended !== ended;
      ({ ended } = record.runs);
      lookedMs = clock.nowMs();
      await links.prepare();
      lookout ??= await createLookout(workspace, {
        ...watched,
        pause,
        append: ({ kind, body }) => record.append(kind, body),
        acknowledgeUrl: links.of,
      });
      await lookout.look({ fresh });
      everyMs = often?.everyMs ?? (lookout.isQuiet ? QUIET_EVERY_MS : EVERY_MS);
      // What could not be recorded is said by the next look.
      if (lookout.isSending) await Promise.race([settled(lookout.settled()), settled(pause(SENDING_MS))]);
    },
    seen: () => lookout?.seen,
  };
}

/** The links by which alerts are acknowledged. Alerts go without, rather than not at all, until the key is there. */
class Links {
  readonly #workspace: Workspace;
  readonly #log: Log;
  readonly #publicUrl: string | undefined;
  #link: ((alert: string) => string) | undefined;

  constructor(workspace: Workspace, log: Log, publicUrl: string | undefined) {
    this.#workspace = workspace;
    this.#log = log;
    this.#publicUrl = publicUrl;
  }

  readonly of = (alert: string): string | undefined => this.#link?.(alert);

  async prepare(): Promise<void> {
    if (this.#publicUrl === undefined || this.#link !== undefined) return;
    try {
      this.#link = await acknowledgementLinks(this.#workspace, this.#publicUrl);
    } catch (error) {
      this.#log.warn('alerts go without a link to acknowledge them', { error: messageOf(error) });
    }
  }
}
