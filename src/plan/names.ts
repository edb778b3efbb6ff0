import { closest, distance } from 'fastest-levenshtein';

/** What sources, repositories and plans may be called: it becomes a tag, a host and part of a path. */
export const IDENTIFIER = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

export const IDENTIFIER_NOTATION = 'a name of letters, digits, ".", "_" and "-" that begins with a letter or digit';

/** The one of `candidates` that `word` most likely meant, if any is close. */
export function nearestName(word: string, candidates: Iterable<string>): string | undefined {
  const lower = word.toLowerCase();
  const byLower = new Map([...candidates].map((candidate) => [candidate.toLowerCase(), candidate]));
  if (byLower.size === 0) return undefined;
  const best = closest(lower, [...byLower.keys()]);
  // About one slip in three letters; further away, a suggestion is a guess.
  const allowed = Math.max(1, Math.floor(Math.min(lower.length, best.length) / 3));
  return distance(lower, best) <= allowed ? byLower.get(best) : undefined;
}
