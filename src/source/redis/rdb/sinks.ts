import { type ByteFunctions, PAPER } from './bytes.ts';
import type { Cursor } from './cursor.ts';
import { RdbDamage } from './damage.ts';
import type { PackedSink } from './packed.ts';

/** What becomes of the elements of a compact value: they go into the digest as those of any other form do. */

/** Elements of a list. */
export function nextSink(functions: ByteFunctions): PackedSink {
  return each(functions, () => functions.isNext());
}

/** Members of a set. */
export function memberSink(functions: ByteFunctions): PackedSink {
  return each(functions, () => functions.isMember());
}

function each(functions: ByteFunctions, use: () => void): PackedSink {
  return {
    text(at, end) {
      functions.text(at, end);
      use();
    },
    whole(low, high) {
      functions.number(low, high, PAPER);
      use();
    },
  };
}

/** Members, each with its score behind it. */
export function scoreSink({ functions, bytes }: Cursor): PackedSink {
  let isScore = false;
  return {
    text(at, end) {
      if (isScore) functions.isScored(scoreOf(Buffer.from(bytes.subarray(at, end)).toString('latin1')));
      else functions.text(at, end);
      isScore = !isScore;
    },
    whole(low, high) {
      if (isScore) functions.isScored(high * 2 ** 32 + (low >>> 0));
      else functions.number(low, high, PAPER);
      isScore = !isScore;
    },
  };
}

function scoreOf(text: string): number {
  if (/^[+-]?inf$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  const score = text === '' ? Number.NaN : Number(text);
  if (Number.isNaN(score)) throw new RdbDamage('a score that is no number');
  return score;
}

/**
 * Fields, each with its value behind it.
 * @param isLiving given, there is a third: when the field expires in milliseconds since 1970, zero for never
 */
export function fieldSink(functions: ByteFunctions, isLiving?: (expiresMs: number) => boolean): PackedSink {
  let part = 0;
  const taken = (): void => {
    if (part === 0) functions.isField();
    if (part === 1 && isLiving === undefined) functions.isFieldValue(-1);
    part = part === 1 && isLiving === undefined ? 0 : part + 1;
  };
  return {
    text(at, end) {
      if (part === 2) throw new RdbDamage('a time that is no number');
      functions.text(at, end);
      taken();
    },
    whole(low, high) {
      if (part < 2) {
        functions.number(low, high, PAPER);
        taken();
        return;
      }
      const time = high * 2 ** 32 + (low >>> 0);
      const expiresMs = time === 0 ? -1 : time;
      if (isLiving?.(expiresMs)) functions.isFieldValue(expiresMs);
      part = 0;
    },
  };
}
