import { pauseUntilAborted } from '../../foundation/pause.ts';
import { beat, reasonsForSilence, type Wellbeing } from '../../operations/index.ts';
import type { Duty, DutyContext } from '../duty.ts';

/** Whoever has just begun gets so long for a first look; then a beat waits no longer for what it has found. */
const FIRST_LOOK_MS = 5 * 60_000;
const SOON_MS = 1000;

/**
 * Tells each heartbeat of the plan that all is well, as often as it says, for as long as it is. What cannot be told fails the
 * duty, which is recorded and alarmed; what is not told on purpose is recorded where it begins and ends.
 * @param seen what was found when somebody last looked for what is wrong
 */
export function heartbeatDuties(context: DutyContext, seen: () => Wellbeing | undefined): Duty[] {
  return [...context.workspace.plan.alerts.channels.values()].flatMap((channel) =>
    channel.type === 'heartbeat' ? [heartbeatDuty(context, channel, seen)] : [],
  );
}

function heartbeatDuty(
  { workspace, record, clock }: DutyContext,
  { name, everyMs }: { name: string; everyMs: number },
  seen: () => Wellbeing | undefined,
): Duty {
  const beganMs = clock.nowMs();
  let lastMs = Number.NEGATIVE_INFINITY;
  let isWithheld = false;
  return {
    name: `heartbeat:${name}`,
    nextMs(nowMs) {
      if (seen() === undefined && Math.abs(nowMs - beganMs) < FIRST_LOOK_MS) return nowMs + SOON_MS;
      // A clock that was set back must not silence it.
      return lastMs > nowMs ? nowMs : Math.max(nowMs, lastMs + everyMs);
    },
    async run(nowMs, signal) {
      lastMs = nowMs;
      const why = reasonsForSilence(seen(), clock.nowMs());
      if (why.length > 0) {
        if (!isWithheld) await record.append('heartbeat.withheld', { channel: name, why });
        isWithheld = true;
        return;
      }
      const { error } = await beat(() => workspace.createChannel(name), { pause: pauseUntilAborted(signal), signal });
      if (error !== undefined) throw error;
      if (isWithheld) await record.append('heartbeat.resumed', { channel: name });
      isWithheld = false;
    },
  };
}
