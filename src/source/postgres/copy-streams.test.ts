import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorOf } from '../../../test/support/postgres-source.ts';
import { END_OF_ROWS } from './archive/add-table-data.ts';
import { rowsOfFile } from './copy-in.ts';
import { FrameReader } from './copy-out.ts';

function message(type: string, body: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

function cutUp(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  let at = 0;
  return places.map((place) => {
    // A copy: the reader moves bytes inside the chunk that it gets.
    const chunk = Buffer.from(bytes.subarray(at, place));
    at = place;
    return chunk;
  });
}

const body = fc.uint8Array({ maxLength: 60 });
const cuts = fc.array(fc.nat(), { maxLength: 40 });

describe('the messages of a COPY', () => {
  it('are told apart however they are cut: rows, notices between them, and the rest', () => {
    const frame = fc.record({ type: fc.constantFrom('d', 'd', 'd', 'N', 'S'), body });
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 12 }),
        fc.constantFrom('c', 'E'),
        body,
        cuts,
        (frames, end, last, places) => {
          const ending = Buffer.concat([message(end, last), message('C', body2), message('Z', Buffer.from('I'))]);
          const stream = Buffer.concat([...frames.map((each) => message(each.type, each.body)), ending]);
          const reader = new FrameReader();
          const rows: Buffer[] = [];
          const messages: Buffer[] = [];
          const rest: Buffer[] = [];
          for (const chunk of cutUp(stream, places)) {
            if (rest.length > 0) {
              rest.push(chunk);
              continue;
            }
            const read = reader.read(chunk);
            rows.push(Buffer.from(read.rows));
            messages.push(...read.messages.map((each) => Buffer.from(each)));
            if (read.rest !== undefined) rest.push(Buffer.from(read.rest));
          }
          const of = (isRow: boolean) => frames.filter(({ type }) => (type === 'd') === isRow);
          expect(Buffer.concat(rows)).toEqual(Buffer.concat(of(true).map((each) => each.body)));
          expect(messages).toEqual(of(false).map((each) => message(each.type, each.body)));
          expect(Buffer.concat(rest)).toEqual(ending);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

const body2 = Buffer.from('COPY 1\0');

async function collect(chunks: readonly Uint8Array[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  // As a reader may: the buffer is used again for the next chunk.
  async function* file() {
    for (const chunk of chunks) {
      const lent = Buffer.from(chunk);
      yield lent;
    }
  }
  for await (const part of rowsOfFile(file(), 'x.dat')) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

describe('the rows of a file in the archive', () => {
  it('are everything before the end mark, however the file is cut', async () => {
    await fc.assert(
      fc.asyncProperty(body, cuts, async (rows, places) => {
        const file = Buffer.concat([rows, END_OF_ROWS]);
        expect(await collect(cutUp(file, places))).toEqual(Buffer.from(rows));
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['no mark', '1\tone\n'],
    ['half a mark', '1\tone\n\\.\n\n'],
    ['more after the mark', '1\tone\n\\.\n\n\nx'],
  ])('are refused with %s', async (_, text) => {
    expect(await errorOf(collect([Buffer.from(text)]))).toMatchObject({ code: 'archive-damaged' });
  });
});
