import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Document, renderHtml, renderMarkdown, renderText } from './index.ts';

function documentOf(text: string): Document {
  return {
    title: text,
    blocks: [
      { kind: 'heading', text },
      { kind: 'paragraph', text, tone: 'bad' },
      { kind: 'list', items: [text, text] },
      { kind: 'table', columns: ['one', text], rows: [[text, 'two']] },
    ],
  };
}

const hostile = fc.oneof(
  fc.string(),
  fc.constantFrom(
    '<script>alert(1)</script>',
    '| a | b |\n|---|---|',
    '[x](javascript:1)',
    '# x',
    '1. x',
    '**x**',
    '`x',
    '\n---\n',
  ),
);

describe('a document', () => {
  it('has the same elements in HTML, whatever its texts are', () => {
    const tags = (text: string): string[] => renderHtml(documentOf(text)).match(/<[^>]*>/g) ?? [];
    const expected = tags('plain');
    fc.assert(
      fc.property(hostile, (text) => {
        expect(tags(text)).toEqual(expected);
      }),
    );
  });

  it('has the same lines and cells in Markdown, whatever its texts are', () => {
    const shape = (text: string): string =>
      renderMarkdown(documentOf(text))
        .split('\n')
        .map(
          (line) =>
            line
              .match(/(?<!\\)(?:\\\\)*[|#*`<[]/g)
              ?.map((sign) => sign.at(-1))
              .join('') ?? '',
        )
        .join('\n');
    const expected = shape('plain');
    fc.assert(
      fc.property(hostile, (text) => {
        expect(shape(text)).toBe(expected);
      }),
    );
  });

  it('has columns that line up as text', () => {
    const table = { kind: 'table', columns: ['a', 'long heading'], rows: [['a longer cell', 'é']] } as const;
    expect(renderText({ title: 'Title', blocks: [table, { kind: 'list', items: ['x\ny'] }] })).toBe(
      [
        ...['Title', '=====', ''],
        ...['a              long heading', '-------------  ------------', 'a longer cell  é', ''],
        ...['- x', '  y'],
      ].join('\n'),
    );
  });

  it('has the lines for a shell as they are, and nothing ends them early', () => {
    fc.assert(
      fc.property(fc.array(hostile), (given) => {
        const lines = given.map((line) => line.replace(/\s*[\r\n]\s*/g, ' '));
        const of = (form: typeof renderText): string =>
          form({ title: 't', blocks: [{ kind: 'commands', lines: given }] });
        const markdown = of(renderMarkdown).split('\n').slice(2);
        expect(markdown.slice(1, -1)).toEqual(lines);
        expect(markdown[0]).toBe(`${markdown.at(-1)}sh`);
        expect(lines.some((line) => line.trim().startsWith(markdown.at(-1)!))).toBe(false);
        expect(of(renderHtml).match(/<[^>]*>/g)).toEqual(
          renderHtml({ title: 't', blocks: [{ kind: 'commands', lines: [] }] }).match(/<[^>]*>/g),
        );
      }),
    );
  });
});
