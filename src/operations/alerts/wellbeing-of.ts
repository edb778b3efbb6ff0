import type { Wellbeing } from '../notify/wellbeing.ts';
import { type AlertBook, muteOf } from './book.ts';

/** The alerts that are open, as far as a watch outside is concerned with them. Pure. */
export function wellbeingOf({ open, mutes }: Pick<AlertBook, 'open' | 'mutes'>, nowMs: number): Wellbeing {
  return {
    lookedMs: nowMs,
    open: open.map((alert) => {
      const { rule, subject, severity, acknowledged, told } = alert;
      const channels = [...told.values()];
      return {
        ...{ rule, subject, severity },
        isSeenTo: acknowledged !== undefined || muteOf(alert, mutes, nowMs) !== undefined,
        isUntold: channels.length > 0 && channels.every(({ reasons }) => reasons.size === 0),
      };
    }),
  };
}
