import { HoldfastError } from '../foundation/errors.ts';
import type { Invocation, OptionDefinition } from './command.ts';

/** Milliseconds since 1970: from this moment on, before that one. */
export interface Period {
  fromMs: number;
  untilMs: number;
}

/** @param since what it begins with where nothing is given, such as `365d ago` */
export function periodOptions(since: string): OptionDefinition[] {
  return [
    { flags: '--from <time>', description: `from this moment on (default: ${since})` },
    { flags: '--to <time>', description: 'before this moment (default: now)' },
  ];
}

/** What these options ask for, up to now at most. @throws bad-usage where there is no time between them */
export async function periodOf(
  { options, environment }: Pick<Invocation, 'options' | 'environment'>,
  since: string,
): Promise<Period> {
  const { parseMoment } = await import('../operations/index.ts');
  const nowMs = environment.clock.nowMs();
  const momentOf = (name: 'from' | 'to', otherwise: string): number => {
    const momentMs = parseMoment((options[name] as string | undefined) ?? otherwise, nowMs);
    if (momentMs !== undefined) return momentMs;
    throw new HoldfastError('bad-usage', `--${name} takes a time`, {
      hint: 'Such as `30d ago`, or 2026-01-31T14:03:06Z.',
    });
  };
  const fromMs = momentOf('from', since);
  const untilMs = options['to'] === undefined ? nowMs : Math.min(nowMs, momentOf('to', ''));
  if (fromMs < untilMs) return { fromMs, untilMs };
  throw new HoldfastError('bad-usage', 'there is no time that is past between --from and --to', {
    hint: 'Give --from a moment before that of --to, and before now.',
  });
}
