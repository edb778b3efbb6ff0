/** What a rescue has brought back so far, beside it: a rescue that died goes on there. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, systemCode, systemReason } from '../../foundation/errors.ts';
import { removeParts } from '../../foundation/new-file.ts';
import { writePrivate } from '../kit/sealed-kit.ts';

const NAME = '.holdfast-rescue.json';

const state = z.object({
  version: z.literal(1),
  plan: z.string(),
  /** RFC 3339: the moment that everything is brought back to, and when the first run began. */
  at: z.iso.datetime(),
  /** How that moment was asked for, in the words of the first run; without it, everything is brought back as new as can be. */
  asked: z.string().exactOptional(),
  startedAt: z.iso.datetime(),
  /** By source: the directory that was free, and that a restore was begun to. */
  begun: z.record(z.string(), z.string()).default({}),
  sources: z.record(
    z.string(),
    z.object({
      target: z.string(),
      from: z.string(),
      snapshot: z.string(),
      time: z.string(),
      bytes: z.number(),
      outcome: z.enum(['complete', 'partial']),
      /** All of it is there, in a database or a server that may still be marked as being filled. */
      isMarked: z.literal(true).exactOptional(),
      /** What a sandbox showed of it, where it was to be proven; or why nothing was shown. */
      proof: z
        .object({
          state: z.enum(['proven', 'failed', 'not-provable']),
          checksFailed: z.array(z.string()),
          reason: z.string().exactOptional(),
        })
        .exactOptional(),
      unproven: z.string().exactOptional(),
    }),
  ),
});

export type RescueState = z.output<typeof state>;
export type RescuedSource = RescueState['sources'][string];

/**
 * What was brought back to a directory already, or what to begin with.
 * @throws target-not-empty where it is of another rescue; target-failed
 */
export async function readState(
  directory: string,
  fresh: Omit<RescueState, 'version' | 'begun' | 'sources'>,
): Promise<RescueState> {
  const path = join(directory, NAME);
  let text: string | undefined;
  try {
    await makeDirectories(directory, 0o755);
    await removeParts(path);
    text = await readIfThere(path);
  } catch (cause) {
    throw new HoldfastError('target-failed', `${directory} cannot be used: ${systemReason(cause)}`, {
      hint: 'Name a directory that you may write to with `--to`.',
      context: { target: directory },
      cause,
    });
  }
  if (text === undefined) return { version: 1, ...fresh, begun: {}, sources: {} };
  const parsed = state.safeParse(parsedJson(text));
  if (parsed.data?.plan === fresh.plan) return parsed.data;
  throw new HoldfastError('target-not-empty', `${path} is not of a rescue of ${fresh.plan}`, {
    hint: 'Name another directory with `--to`.',
    context: { target: directory },
  });
}

/** What an earlier run has brought back of a source, whatever that is called. */
export function earlierOf({ sources }: RescueState, source: string): RescuedSource | undefined {
  return Object.hasOwn(sources, source) ? sources[source] : undefined;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is no JSON is of no rescue.
    return undefined;
  }
}

export function writeState(directory: string, now: RescueState): Promise<void> {
  return writePrivate(join(directory, NAME), `${JSON.stringify(now, undefined, 2)}\n`);
}
