import { HoldfastError } from '../foundation/errors.ts';
import type { OptionDefinition } from './command.ts';

/** Which events are meant. */
export const QUERY_OPTIONS: OptionDefinition[] = [
  { flags: '--since <time>', description: 'not before a time, such as 2026-01-31T14:03:06Z or "2h ago"' },
  { flags: '--until <time>', description: 'before a time' },
  {
    flags: '--kind <kind>',
    description: 'of this kind, such as backup.failed; may be given several times',
    repeats: true,
  },
  { flags: '--source <name>', description: 'about this source; may be given several times', repeats: true },
  { flags: '--actor <name>', description: 'by whom: user@host, or a part of it' },
  { flags: '--limit <number>', description: 'the newest of them, so many at most' },
  { flags: '--repository <name>', description: 'in the ledger of this repository, mirror or archive' },
];

/** What these options ask for. @throws bad-usage */
export async function queryOf(
  options: Readonly<Record<string, string | string[] | boolean | undefined>>,
  nowMs: number,
) {
  const { parseMoment } = await import('../operations/index.ts');
  const momentOf = (name: string): number | undefined => {
    const given = options[name] as string | undefined;
    return given === undefined ? undefined : parseMoment(given, nowMs);
  };
  const [sinceMs, untilMs] = [momentOf('since'), momentOf('until')];
  const { limit, kind, source, actor, repository } = options;
  return {
    ...(sinceMs !== undefined && { sinceMs }),
    ...(untilMs !== undefined && { untilMs }),
    ...(limit !== undefined && { limit: countOf(limit as string) }),
    ...(kind !== undefined && { kinds: kind as string[] }),
    ...(source !== undefined && { sources: source as string[] }),
    ...(actor !== undefined && { actor: actor as string }),
    ...(repository !== undefined && { repository: repository as string }),
  };
}

function countOf(given: string): number {
  if (/^[1-9]\d{0,8}$/.test(given)) return Number(given);
  throw new HoldfastError('bad-usage', `${JSON.stringify(given)} is no number of events`, {
    hint: 'Write a whole number from 1 on.',
  });
}
