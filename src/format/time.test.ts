import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTime, formatTimeMs, parseTime, parseTimeMs } from './time.ts';

const FIRST = -62_167_219_200_000_000_000n;
const LAST = 253_402_300_799_999_999_999n;

describe('times', () => {
  it.each([
    [0n, '1970-01-01T00:00:00Z'],
    [1n, '1970-01-01T00:00:00.000000001Z'],
    [-1n, '1969-12-31T23:59:59.999999999Z'],
    [1_700_000_000_120_000_000n, '2023-11-14T22:13:20.12Z'],
    [-62_135_596_800_000_000_000n, '0001-01-01T00:00:00Z'],
    [FIRST, '0000-01-01T00:00:00Z'],
    [LAST, '9999-12-31T23:59:59.999999999Z'],
  ])('%s is written as %s', (nanoseconds, text) => {
    expect(formatTime(nanoseconds)).toBe(text);
    expect(parseTime(text)).toBe(nanoseconds);
  });

  it('come back to the nanosecond', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: FIRST, max: LAST }), (nanoseconds) => {
        expect(parseTime(formatTime(nanoseconds))).toBe(nanoseconds);
      }),
    );
  });

  it('are brought to the ends of what can be written', () => {
    expect(formatTime(FIRST - 1n)).toBe('0000-01-01T00:00:00Z');
    expect(formatTime(10n ** 30n)).toBe('9999-12-31T23:59:59.999999999Z');
  });

  it('may have an offset, and digits below a nanosecond', () => {
    expect(parseTime('2024-02-29T12:00:00.5+02:00')).toBe(parseTime('2024-02-29T10:00:00.5Z'));
    expect(parseTime('2024-02-29T12:00:00.1234567899Z')).toBe(parseTime('2024-02-29T12:00:00.123456789Z'));
  });

  it.each([
    '',
    'now',
    '2024-02-29',
    '2024-13-01T00:00:00Z',
    '2024-02-29T25:00:00Z',
    '2024-02-29T12:00:00',
    '12024-01-01T00:00:00Z',
  ])('refuse %j', (text) => {
    expect(parseTime(text)).toBeUndefined();
    expect(parseTimeMs(text)).toBeUndefined();
  });

  it('count in milliseconds too', () => {
    expect(formatTimeMs(1_700_000_000_120)).toBe('2023-11-14T22:13:20.12Z');
    expect(parseTimeMs('2023-11-14T22:13:20.1209Z')).toBe(1_700_000_000_120);
  });
});
