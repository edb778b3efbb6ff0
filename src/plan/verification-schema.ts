/** What is proven by itself, and when: `verification` of a plan. */
import { z } from 'zod';
import { parseDuration } from '../foundation/units.ts';
import { parseSchedule, type Schedule } from '../schedule/index.ts';
import { duration, identifier, schedule } from './values.ts';

const sources = z
  .union([z.literal('*'), z.array(identifier).min(1)], { error: () => '"*" for all of them, or a list of sources' })
  .meta({ description: 'The sources, or "*" for all of them.' });

export const verification = z
  .strictObject(
    {
      name: identifier.meta({ description: 'What the verification is called in reports.' }),
      sources,
      pick: z
        .enum(['latest', 'random'], { error: () => 'latest or random' })
        .default('latest')
        .meta({ description: 'The newest recovery point, or any: with a log, any second.' }),
      from: duration('Of `pick: random`: how far back. All that there is when left out.').optional(),
      level: z
        .enum(['checked', 'proven'], { error: () => 'checked or proven' })
        .default('proven')
        .meta({ description: 'checked: every byte is read and authenticated. proven: restored and validated.' }),
      schedule,
      sandbox: z
        .union([identifier, z.record(identifier, identifier)], {
          error: () => 'the name of a sandbox, or one for each source such as { crm: staging, default: local }',
        })
        .meta({ description: 'Where it is restored: a sandbox, or one for each source with a `default`.' })
        .optional(),
      keep: duration(
        'How long what was restored stays for somebody to look at; it is removed at once when left out.',
      ).optional(),
    },
    { error: () => 'a verification such as { name: daily, sources: "*", schedule: daily at 05:00 }' },
  )
  .superRefine(({ pick, from, level, keep }, context) => {
    const complain = (key: string, message: string) =>
      context.addIssue({ code: 'custom', path: [key], message, params: { message } });
    if (from !== undefined && pick !== 'random') complain('from', '"from" belongs to "pick: random"');
    if (keep !== undefined && level !== 'proven') complain('keep', 'nothing is restored by "level: checked"');
  })
  .meta({ description: 'Recovery points that are proven on a schedule.' });

export interface Verification {
  name: string;
  /** Names, in the order of the plan. */
  sources: string[];
  pick: 'latest' | 'random';
  /** Of `pick: random`: how far back from the newest; all when left out. */
  fromMs?: number;
  level: 'checked' | 'proven';
  schedule: Schedule;
  /** The name of the sandbox for each source that has one named. */
  sandboxes: ReadonlyMap<string, string>;
  keepMs?: number;
}

/** @param all names of the plan's sources */
export function buildVerification(document: z.output<typeof verification>, all: readonly string[]): Verification {
  const { name, pick, from, level, sandbox, keep } = document;
  const chosen = document.sources === '*' ? [...all] : [...new Set(document.sources)];
  const parsed = parseSchedule(document.schedule);
  if ('problem' in parsed) throw new TypeError(parsed.problem);
  const of = (source: string): string | undefined =>
    typeof sandbox === 'string' ? sandbox : (sandbox?.[source] ?? sandbox?.['default']);
  return {
    ...{ name, sources: chosen, pick, level, schedule: parsed.schedule },
    sandboxes: new Map(chosen.flatMap((source) => (of(source) === undefined ? [] : [[source, of(source)!]]))),
    ...(from !== undefined && { fromMs: parseDuration(from)! }),
    ...(keep !== undefined && { keepMs: parseDuration(keep)! }),
  };
}
