import type { RawDocument } from '../codec/document-line.ts';
import { compareNames, relativeName } from '../codec/names.ts';
import type { RawTimestamp } from '../codec/values.ts';
import { codeOf } from '../failures.ts';
import { isTransient, MAX_ATTEMPTS, waitMs } from '../restore/transient.ts';
import { type Range, rangeQuery } from './range.ts';
import { ONCE, outOfOrder, type Reading, readFailure } from './reading.ts';

/**
 * The documents of a range at the moment, in the order of their names. A stream that breaks goes on behind the last
 * document that came.
 * @throws source-unreachable, source-refused, source-lost, source-unsupported
 */
export async function* readRange(reading: Reading, range: Range): AsyncGenerator<RawDocument> {
  const { connection, moment, meter, pause, signal } = reading;
  const { client, database, callOptions } = connection;
  let last: string | undefined;
  let lastRelative = '';
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    const structuredQuery = rangeQuery(database, range, last);
    const request = { parent: `${database}/documents`, structuredQuery, readTime: moment.readTime };
    const stream = client.runQuery(request as object, { ...ONCE, ...callOptions }) as unknown as QueryStream;
    try {
      for await (const { document } of stream) {
        if (!document) continue;
        signal.throwIfAborted();
        meter.add(1);
        const relative = relativeName(document.name ?? '', database);
        if (lastRelative !== '' && compareNames(lastRelative, relative) >= 0) throw outOfOrder(relative, lastRelative);
        yield document;
        [last, lastRelative, attempt] = [document.name!, relative, 1];
      }
      return;
    } catch (error) {
      if (signal.aborted || !isTransient(codeOf(error)) || attempt >= MAX_ATTEMPTS) throw readFailure(error, reading);
      await pause(waitMs(attempt));
    } finally {
      stream.cancel?.();
    }
  }
}

type QueryStream = AsyncIterable<{ document?: RawDocument | null; readTime?: RawTimestamp | null }> & {
  cancel?: () => void;
};
