/** How rules say things. */

/** A time for people, to the minute: `2026-01-31 14:03 UTC`. */
export function moment(timeMs: number): string {
  const text = new Date(timeMs).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 16)} UTC`;
}

export function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`;
}
