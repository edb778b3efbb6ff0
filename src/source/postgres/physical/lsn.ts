import { HoldfastError } from '../../../foundation/errors.ts';

/** A position in the write-ahead log, in halves of 32 bits: a number would not be exact, and a bigint is slow for each page. */
export interface Lsn {
  high: number;
  low: number;
}

/** @param text as the server writes it: `16/B374D848` */
export function parseLsn(text: string | null | undefined): Lsn {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text ?? '');
  if (match !== null) return { high: Number.parseInt(match[1]!, 16), low: Number.parseInt(match[2]!, 16) };
  throw new HoldfastError('source-unsupported', 'the server named a position in its log that is none');
}
