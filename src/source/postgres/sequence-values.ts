/** How many values a server writes to its log ahead, so that it need not write each one. PostgreSQL's SEQ_LOG_VALS. */
const LOGGED_AHEAD = 32;

const SET = /^SELECT pg_catalog\.setval\((.*), (-?\d+), (true|false)\);/;

/**
 * Whether a sequence's value is one that a recovery gives for another one: what the log says is ahead of what was handed out,
 * by as many values as a server logs at once. Source: PostgreSQL's documentation of sequences, and `sequence.c`.
 * @param recovered what pg_dump says of the value after the recovery, and of the living one
 * @param definition of the sequence, which tells its steps
 */
export function isAheadByLog(recovered: string, living: string, definition: string): boolean {
  const [ahead, behind] = [recovered, living].map((text) => SET.exec(text));
  if (ahead === null || behind === null || ahead === undefined || behind === undefined) return false;
  if (ahead[1] !== behind[1] || ahead[3] !== 'true') return false;
  const step = BigInt(/INCREMENT BY (-?\d+)/.exec(definition)?.[1] ?? 1);
  const cache = BigInt(/\bCACHE (\d+)/.exec(definition)?.[1] ?? 1);
  const values = (BigInt(ahead[2]!) - BigInt(behind[2]!)) / step;
  return values >= 0n && values <= BigInt(LOGGED_AHEAD) + cache;
}
