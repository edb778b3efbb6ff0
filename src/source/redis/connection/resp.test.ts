import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCommand, ProtocolError, type Reply, ReplyError, ReplyParser } from './resp.ts';

function parse(bytes: Buffer, pieceBytes: number): Reply[] {
  const parser = new ReplyParser(1 << 20);
  const replies: Reply[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    parser.feed(bytes.subarray(at, at + pieceBytes));
    for (let reply = parser.next(); reply !== undefined; reply = parser.next()) replies.push(reply);
  }
  return replies;
}

describe('answers of a server', () => {
  it.each<[string, Reply]>([
    ['+OK\r\n', 'OK'],
    [':-42\r\n', -42],
    ['$3\r\na\r\n\r\n', Buffer.from('a\r\n')],
    ['$-1\r\n', null],
    ['*-1\r\n', null],
    ['*2\r\n$1\r\na\r\n*0\r\n', [Buffer.from('a'), []]],
    ['_\r\n', null],
    ['#t\r\n', true],
    [',-inf\r\n', -Infinity],
    [',1.5\r\n', 1.5],
    ['(12345678901234567890\r\n', 12_345_678_901_234_567_890n],
    ['=5\r\ntxt:a\r\n', Buffer.from('a')],
    ['%1\r\n+a\r\n:1\r\n', ['a', 1]],
    ['|1\r\n+hint\r\n:1\r\n+OK\r\n', 'OK'],
    ['-WRONGPASS no\r\n', new ReplyError('WRONGPASS no')],
    ['!9\r\nNOAUTH no\r\n', new ReplyError('NOAUTH no')],
  ])('%j are understood, in whatever pieces they come', (text, expected) => {
    for (const pieceBytes of [1, 3, 1000]) expect(parse(Buffer.from(text), pieceBytes)).toEqual([expected]);
  });

  it('does not repeat the arguments of a command that a server does not know, which may be a password', () => {
    const text = "-ERR unknown command 'AUTH', with args beginning with: 'me' 's3cret' \r\n";
    expect(parse(Buffer.from(text), 1000)).toEqual([new ReplyError("ERR unknown command 'AUTH'")]);
    const old = '-ERR unknown command `AUTH`, with args beginning with: `s3cret`, \r\n';
    expect(JSON.stringify(parse(Buffer.from(old), 1000))).not.toContain('s3cret');
  });

  it('gives back what was sent, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1 }),
        fc.integer({ min: 1, max: 50 }),
        (words, size) => {
          expect(parse(encodeCommand(words), size)).toEqual([words.map((word) => Buffer.from(word))]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it.each([
    'HTTP/1.1 400\r\n',
    '$-7\r\n',
    '$99999999\r\n',
    '*-9\r\n',
    '*1\r\n'.repeat(100),
    `+${'x'.repeat(70_000)}`,
    ':x\r\n',
    '+a\rb',
  ])('are refused where they are none: %j', (text) => {
    expect(() => parse(Buffer.from(text), 1 << 20)).toThrow(ProtocolError);
  });

  it('do no harm, whatever they are', () => {
    const bytes = fc.array(fc.constantFrom(...'*$+-:%|=!(_,#>~0123456789\r\nab'), { maxLength: 60 });
    fc.assert(
      fc.property(bytes, (characters) => {
        try {
          parse(Buffer.from(characters.join('')), 7);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
