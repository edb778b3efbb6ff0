import { EXIT, type ExitCode, type HoldfastError } from '../../foundation/errors.ts';

export type GroupOutcome = 'complete' | 'partial' | 'failed';

type Member = { outcome: 'complete' | 'partial' } | { outcome: 'failed'; error: HoldfastError };

/** What all of a group ends with: partial where anything of it came, and not everything did. */
export function groupOutcome(members: readonly Pick<Member, 'outcome'>[]): GroupOutcome {
  if (members.every(({ outcome }) => outcome === 'failed')) return 'failed';
  return members.every(({ outcome }) => outcome === 'complete') ? 'complete' : 'partial';
}

/** What a restore of a group ends with; where nothing came back, what kept all of it from coming. */
export function groupExit({
  members,
  skewMs,
  maxSkewMs = Number.POSITIVE_INFINITY,
}: {
  members: readonly Member[];
  skewMs: number;
  maxSkewMs?: number;
}): ExitCode {
  const failures = members.flatMap((each) => (each.outcome === 'failed' ? [each.error.exitCode] : []));
  if (failures.includes(EXIT.interrupted)) return EXIT.interrupted;
  const outcome = groupOutcome(members);
  if (outcome === 'failed') return new Set(failures).size === 1 ? failures[0]! : EXIT.failed;
  if (outcome === 'partial') return EXIT.partial;
  return skewMs > maxSkewMs ? EXIT.missed : EXIT.done;
}
