/** Times as Go's encoding/json writes them: RFC 3339 with as many digits of a second as are needed, up to nanoseconds. */

const NANOSECONDS_PER_SECOND = 1_000_000_000n;
const FIRST = -62_167_219_200n * NANOSECONDS_PER_SECOND;
const LAST = 253_402_300_800n * NANOSECONDS_PER_SECOND - 1n;

/** Nanoseconds since 1970 as text, in UTC. Times beyond the years 0 to 9999, which RFC 3339 cannot say, are brought to its ends. */
export function formatTime(nanoseconds: bigint): string {
  const time = nanoseconds < FIRST ? FIRST : nanoseconds > LAST ? LAST : nanoseconds;
  const rest = Number(time % NANOSECONDS_PER_SECOND);
  // Before 1970 the division leaves a rest below zero.
  const seconds = Number(time / NANOSECONDS_PER_SECOND) - (rest < 0 ? 1 : 0);
  const fraction = rest < 0 ? rest + 1_000_000_000 : rest;
  const whole = formatSeconds(seconds);
  if (fraction === 0) return `${whole}Z`;
  return `${whole}.${fraction.toString().padStart(9, '0').replace(/0+$/, '')}Z`;
}

/** The second that was asked for last: the times of a directory's files are often of the same one. */
let known = { seconds: 0, text: '1970-01-01T00:00:00' };

function formatSeconds(seconds: number): string {
  if (seconds !== known.seconds) known = { seconds, text: new Date(seconds * 1000).toISOString().slice(0, 19) };
  return known.text;
}

/** Milliseconds since 1970 as text, in UTC. */
export function formatTimeMs(milliseconds: number): string {
  return formatTime(BigInt(Math.round(milliseconds)) * 1_000_000n);
}

const TIME = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?(Z|[+-]\d{2}:\d{2})$/;

/** RFC 3339 text as nanoseconds since 1970; undefined when it is not a time. */
export function parseTime(text: string): bigint | undefined {
  const [, whole, fraction = '', zone] = TIME.exec(text) ?? [];
  const milliseconds = Date.parse(`${whole}${zone}`);
  if (whole === undefined || Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** RFC 3339 text as milliseconds since 1970, cut to whole ones; undefined when it is not a time. */
export function parseTimeMs(text: string): number | undefined {
  const nanoseconds = parseTime(text);
  return nanoseconds === undefined ? undefined : Number(nanoseconds / 1_000_000n);
}
