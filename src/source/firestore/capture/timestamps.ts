import type { RawTimestamp } from '../codec/values.ts';

/** Since 1970, whole. */
export function millisecondsOf({ seconds, nanos }: RawTimestamp): number {
  return Number(String(seconds ?? 0)) * 1000 + Math.floor((nanos ?? 0) / 1e6);
}
