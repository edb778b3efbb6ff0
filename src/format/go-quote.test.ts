import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { goQuote, goUnquote } from './go-quote.ts';
import { byteString, byteStringOfText } from './tree-node.ts';

/** From the documentation and the tests of Go's strconv. */
const QUOTED: [bytes: string, quoted: string][] = [
  ['\x07\b\f\r\n\t\v', '\\a\\b\\f\\r\\n\\t\\v'],
  ['\\', '\\\\'],
  ['abc\xffdef', 'abc\\xffdef'],
  [byteStringOfText('\u263a'), '☺'],
  [byteStringOfText('\u{10ffff}'), '\\U0010ffff'],
  ['\x04', '\\x04'],
  ['\x7f', '\\x7f'],
  [byteStringOfText('\u0085'), '\\u0085'],
  [byteStringOfText('\u00ad'), '\\u00ad'],
  [byteStringOfText('\u00a0'), '\\u00a0'],
  [byteStringOfText('\u2028'), '\\u2028'],
  [byteStringOfText('\ufffd'), '\ufffd'],
  [byteStringOfText('!\u00a0!\u2000!\u3000!'), '!\\u00a0!\\u2000!\\u3000!'],
  // A surrogate in UTF-8, an overlong slash, a character cut short.
  ['\xed\xa0\x80', '\\xed\\xa0\\x80'],
  ['\xc0\xaf', '\\xc0\\xaf'],
  ['a\xe2\x98', 'a\\xe2\\x98'],
  ['\xf4\x90\x80\x80', '\\xf4\\x90\\x80\\x80'],
  ['it\'s "quoted"', 'it\'s \\"quoted\\"'],
  [byteStringOfText('Grüße, 世界 🌍'), 'Grüße, 世界 🌍'],
];

describe("names as Go's strconv.Quote writes them", () => {
  it.each(QUOTED)('are right for %j', (bytes, quoted) => {
    expect(goQuote(bytes)).toBe(quoted);
    expect(goUnquote(quoted)).toBe(bytes);
  });

  it('come back, whatever bytes they have', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const name = byteString(bytes);
        expect(goUnquote(goQuote(name))).toBe(name);
      }),
      { numRuns: 1000 },
    );
  });

  it('come back, whatever characters they have', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const name = byteStringOfText(text);
        expect(goUnquote(goQuote(name))).toBe(name);
      }),
      { numRuns: 1000 },
    );
  });

  it('may be written with the other escapes that Go knows', () => {
    expect(goUnquote('\\x41\\u0042\\U00000043\\104')).toBe('ABCD');
    expect(goUnquote('\\377\\xFF')).toBe('\xff\xff');
  });

  it.each([
    '\\',
    'a\\',
    '\\q',
    '\\x4',
    '\\xgg',
    '\\u123',
    '\\U0010fff',
    '\\U00110000',
    '\\UFFFFFFFF',
    '\\ud800',
    '\\U0000dfff',
    '\\400',
    '\\08',
    "\\'",
    '\\x',
    '\\u',
  ])('are refused with the escape %j', (quoted) => {
    expect(() => goUnquote(quoted)).toThrow(expect.objectContaining({ code: 'repository-damaged' }));
  });

  it('never crash the reader, whatever stands there', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('\\', 'x', 'u', 'U', '0', '1', 'f', 'n', '"', 'ü', '\ud800') }),
        (text) => {
          try {
            goUnquote(text);
          } catch (error) {
            expect(error).toMatchObject({ code: 'repository-damaged' });
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
