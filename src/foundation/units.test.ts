import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  durationNotation,
  formatDuration,
  formatPercentage,
  formatSize,
  formatThroughput,
  longestCalendarMs,
  parseCalendarDuration,
  parseDuration,
  parsePercentage,
  parseSize,
} from './units.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe('durations', () => {
  test.each([
    ['250ms', 250],
    ['90s', 90_000],
    ['5m', 300_000],
    ['2h30m', 2.5 * HOUR_MS],
    ['1.5h', 1.5 * HOUR_MS],
    ['8d', 8 * DAY_MS],
    ['4w', 28 * DAY_MS],
    ['1w2d3h4m5s6ms', 9 * DAY_MS + 3 * HOUR_MS + 245_006],
    ['0m', 0],
    ['1mo', 31 * DAY_MS],
    ['1y', 366 * DAY_MS],
    ['1y2mo1d12h', (366 + 62 + 1.5) * DAY_MS],
    ['12mo', 366 * DAY_MS],
  ])('%s is read', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    '',
    ' ',
    '5',
    'm',
    '1h 30m',
    '30m1h',
    '1h1h',
    '-1h',
    '1.h',
    '1..5h',
    '.5h',
    '1.5mo',
    '1mo1y',
    '5M',
    '1e3s',
    '99999999999w',
  ])('%j is no duration', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test('what is written in the notation is read back', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), (ms) => {
        expect(parseDuration(durationNotation(ms))).toBe(ms);
      }),
    );
    expect(durationNotation(30 * DAY_MS)).toBe('30d');
    expect(durationNotation(28 * DAY_MS)).toBe('4w');
    expect(durationNotation(0)).toBe('0s');
  });

  test('any text is a whole number from 0 or nothing', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9.ymowdhs]{0,12}$/), (text) => {
        const ms = parseDuration(text);
        expect(ms === undefined || (Number.isSafeInteger(ms) && ms >= 0)).toBe(true);
      }),
    );
  });

  test.each([
    [0, '0 ms'],
    [250.4, '250 ms'],
    [999.6, '1 s'],
    [3_200, '3.2 s'],
    [9_949, '9.9 s'],
    [9_960, '10 s'],
    [59_600, '1 min'],
    [192_000, '3 min 12 s'],
    [3_599_600, '1 h'],
    [2 * HOUR_MS + 300_000, '2 h 5 min'],
    [DAY_MS - 1, '1 d'],
    [8 * DAY_MS + 3 * HOUR_MS, '8 d 3 h'],
    [-3_200, '-3.2 s'],
    [Number.NaN, 'unknown'],
  ])('%d ms is shown as %s', (ms, shown) => {
    expect(formatDuration(ms)).toBe(shown);
  });

  test('what is shown is within 1 % or half a second of what it was', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 * DAY_MS }), (ms) => {
        const shown = formatDuration(ms);
        expect(shown).not.toMatch(/\b60 (s|min)\b|\b1000 ms/);
        const back = parseDuration(shown.replaceAll(' ', '').replace('min', 'm'));
        expect(Math.abs((back ?? Number.NaN) - ms)).toBeLessThanOrEqual(Math.max(500, ms * 0.021));
      }),
    );
  });
});

describe('spans on the calendar', () => {
  test.each([
    ['30d', { months: 0, ms: 30 * DAY_MS }],
    ['12mo', { months: 12, ms: 0 }],
    ['1y6mo', { months: 18, ms: 0 }],
    ['90s', { months: 0, ms: 90_000 }],
    ['2y1w2d3h', { months: 24, ms: 9 * DAY_MS + 3 * HOUR_MS }],
  ])('%s is read', (text, span) => {
    expect(parseCalendarDuration(text)).toEqual(span);
  });

  test.each(['', '6m', '1mo1y', '1.5y', '-1d', 'y', '99999999999999999y'])('%j is none', (text) => {
    expect(parseCalendarDuration(text)).toBeUndefined();
  });

  test('are as long as the longest months and years', () => {
    expect(longestCalendarMs({ months: 14, ms: 5 })).toBe((366 + 62) * DAY_MS + 5);
  });
});

describe('sizes', () => {
  test.each([
    ['0', 0],
    ['1024', 1024],
    ['12B', 12],
    ['64KiB', 65_536],
    ['500MB', 500e6],
    ['1.5 GiB', 1.5 * 2 ** 30],
    ['5TB', 5e12],
    ['2gib', 2 ** 31],
  ])('%s is read', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', 'GB', '5X', '5iB', '-1KB', '1e3', '1.B', '99999999PB'])('%j is no size', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [2 ** 20 - 1, '1 MiB'],
    [812 * 1024, '812 KiB'],
    [99.96 * 2 ** 30, '100 GiB'],
    [2 ** 60, '1024 PiB'],
    [-2048, '-2 KiB'],
    [Number.POSITIVE_INFINITY, 'unknown'],
  ])('%d bytes are shown as %s', (bytes, shown) => {
    expect(formatSize(bytes)).toBe(shown);
  });

  test('what is shown is read back within 1 %', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 52 }), (bytes) => {
        const back = parseSize(formatSize(bytes)) ?? Number.NaN;
        expect(Math.abs(back - bytes)).toBeLessThanOrEqual(bytes * 0.06);
        if (bytes > 10_240) expect(Math.abs(back - bytes)).toBeLessThanOrEqual(bytes * 0.05);
      }),
    );
  });

  test('throughput is bytes per second, and unknown before any time has passed', () => {
    expect(formatThroughput(35 * 2 ** 20, 1000)).toBe('35 MiB/s');
    expect(formatThroughput(2 ** 20, 500)).toBe('2 MiB/s');
    expect(formatThroughput(2 ** 20, 0)).toBe('unknown');
  });
});

test('percentages are read as fractions and shown again', () => {
  expect(parsePercentage('20%')).toBe(0.2);
  expect(parsePercentage('0.5%')).toBe(0.005);
  expect(parsePercentage('20')).toBeUndefined();
  expect(parsePercentage('-1%')).toBeUndefined();
  expect(formatPercentage(0.2)).toBe('20%');
  expect(formatPercentage(0.995)).toBe('99.5%');
});
