/** Which recovery point to go back to, and why. Pure. Times are milliseconds since 1970. */
import { HoldfastError } from '../../foundation/errors.ts';
import type { Choice } from '../../plan/index.ts';
import type { KnownState } from '../proofs.ts';

/** A backup by itself, or a moment behind one that was proven. */
export interface Candidate {
  /** The backup. */
  snapshot: string;
  timeMs: number;
  /** What is known of it; undefined where nothing is but that it is stored. */
  state: KnownState | undefined;
  isPartial: boolean;
  /** When it, or the first of those that it builds on, was marked as suspect. */
  isSuspect: boolean;
}

export interface Wanted {
  choose: Choice;
  /** Not after this moment. */
  beforeMs?: number | undefined;
}

export interface Chosen {
  point: Candidate;
  /** In words: what it is, and what was passed over. */
  reason: string;
}

/**
 * The newest that is as it is wanted.
 * @param candidates of one source, oldest first
 * @param suspectFromMs from when on everything builds on what is suspect; undefined where nothing is
 * @throws unknown-snapshot, with why none is
 */
export function choose(
  source: string,
  candidates: readonly Candidate[],
  wanted: Wanted,
  suspectFromMs: number | undefined,
): Chosen {
  const passedOver = new Map<string, number>();
  for (const point of candidates.toReversed()) {
    const why = whyNot(point, wanted, suspectFromMs);
    if (why === undefined) return { point, reason: reasonOf(point, wanted, passedOver) };
    passedOver.set(why, (passedOver.get(why) ?? 0) + 1);
  }
  throw noneOf(source, candidates, wanted, passedOver);
}

function whyNot(
  { timeMs, state, isPartial, isSuspect }: Candidate,
  { choose: choice, beforeMs }: Wanted,
  suspectFromMs: number | undefined,
): string | undefined {
  if (beforeMs !== undefined && timeMs > beforeMs) return 'after that moment';
  if (choice === 'latest' || choice === 'at') return undefined;
  if (choice === 'latest-clean' && isSuspect) return 'suspect';
  if (choice === 'latest-clean' && suspectFromMs !== undefined && timeMs >= suspectFromMs)
    return 'built on what is suspect';
  if (state === 'failed') return 'with a failed proof';
  if (state !== 'proven') return 'not proven';
  return choice === 'latest-clean' && isPartial ? 'partial' : undefined;
}

const MEANT: Record<Choice, string> = {
  latest: 'the newest',
  'latest-proven': 'the newest proven',
  'latest-clean': 'the newest proven and not suspect',
  at: 'the nearest',
};

function reasonOf(
  { timeMs, state, isPartial }: Candidate,
  { choose: choice, beforeMs }: Wanted,
  passedOver: Map<string, number>,
): string {
  const before = beforeMs === undefined ? '' : ` not after ${timeText(beforeMs)}`;
  const known = [
    ...(isPartial ? ['it is partial'] : []),
    ...(state === 'failed' ? ['its proof has failed'] : state === 'proven' ? [] : ['it is not proven']),
  ];
  const doubts = known.length === 0 ? '' : `, and ${known.join(', ')}`;
  return `${timeText(timeMs)}: ${MEANT[choice]}${before}${doubts}${passedText(passedOver)}`;
}

function passedText(passedOver: ReadonlyMap<string, number>): string {
  const count = [...passedOver.values()].reduce((sum, each) => sum + each, 0);
  if (count === 0) return '';
  const parts = [...passedOver].map(([why, many]) => (count === many ? why : `${many} ${why}`));
  return `; ${count} newer ${count === 1 ? 'was' : 'were'} passed over: ${parts.join(', ')}`;
}

function noneOf(
  source: string,
  candidates: readonly Candidate[],
  { choose: choice, beforeMs }: Wanted,
  passedOver: ReadonlyMap<string, number>,
): HoldfastError {
  const before = beforeMs === undefined ? '' : ` not after ${timeText(beforeMs)}`;
  const kind = { latest: '', at: '', 'latest-proven': ' that is proven', 'latest-clean': ' that is clean' }[choice];
  const parts = [...passedOver].map(([why, many]) => `${many} ${why}`);
  return new HoldfastError(
    'unknown-snapshot',
    `${source} has no recovery point${kind}${before}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}`,
    {
      hint:
        candidates.length === 0
          ? `Take one with \`holdfast backup ${source}\`.`
          : `Look at what there is with \`holdfast snapshots ${source}\`; \`holdfast verify ${source} --snapshot ID\` proves one.`,
      context: { source },
    },
  );
}

/** To the second, where that is exact. */
export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('.000Z', 'Z');
}
