import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { goJsonString, parseExactJson, stringifyExactJson } from './exact-json.ts';

describe('exact JSON', () => {
  it('keeps whole numbers that a double cannot hold', () => {
    const text = '{"inode":18446744073709551615,"small":9007199254740991,"negative":-9223372036854775808}';
    expect(parseExactJson(text)).toEqual({
      inode: 18446744073709551615n,
      small: 9007199254740991,
      negative: -9223372036854775808n,
    });
    expect(stringifyExactJson(parseExactJson(text))).toBe(text);
  });

  it('keeps any 64-bit number', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        expect(stringifyExactJson(parseExactJson(`[${value}]`))).toBe(`[${value}]`);
      }),
    );
  });

  it('takes digits within text for text', () => {
    expect(parseExactJson('{"id":"12345678901234567890"}')).toEqual({ id: '12345678901234567890' });
  });

  it('gives back any value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        expect(stringifyExactJson(parseExactJson(stringifyExactJson(value)))).toBe(stringifyExactJson(value));
        expect(JSON.parse(stringifyExactJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("escapes as Go's encoding/json does", () => {
    expect(goJsonString('<a href="x">&\u2028\u2029')).toBe('"\\u003ca href=\\"x\\"\\u003e\\u0026\\u2028\\u2029"');
    expect(goJsonString('\b\f\n\r\t\u0001')).toBe('"\\b\\f\\n\\r\\t\\u0001"');
    expect(goJsonString('Grüße 🌍')).toBe('"Grüße 🌍"');
  });

  it('gives back any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(JSON.parse(goJsonString(text))).toBe(text);
      }),
    );
  });

  it('keeps members that are named as what every object has', () => {
    const text = '{"__proto__":{"x":1},"constructor":2,"toString":12345678901234567890}';
    expect(stringifyExactJson(parseExactJson(text))).toBe(text);
  });

  it('leaves undefined members out', () => {
    expect(stringifyExactJson({ a: undefined, b: [undefined, null], c: false })).toBe('{"b":[null,null],"c":false}');
  });
});

describe('numbers among digits that are text', () => {
  it('are exact wherever they stand', () => {
    const large = 12345678901234567890n;
    for (const text of ['[12345678901234567890]', '[1,12345678901234567890]', '[ 12345678901234567890]']) {
      expect((parseExactJson(text) as unknown[]).at(-1)).toBe(large);
    }
    expect(parseExactJson('{"a":12345678901234567890}')).toEqual({ a: large });
    expect(parseExactJson('{"a":\n-12345678901234567890}')).toEqual({ a: -large });
  });

  it('are left as they are in an id', () => {
    const id = '1234567890123456'.repeat(4);
    expect(parseExactJson(`{"content":["${id}"]}`)).toEqual({ content: [id] });
  });
});
