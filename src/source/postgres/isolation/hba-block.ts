/**
 * The lines of pg_hba.conf by which a server refuses everybody but some: on top, since the first line that fits decides. Those
 * that it lets in go on by the lines behind it. Pure. Source: PostgreSQL's documentation, "The pg_hba.conf File".
 */
import { complementOf } from './networks.ts';

const BEGIN = '# holdfast: isolated from here';
const END = '# holdfast: to here';
/** The sockets of the server's own machine. */
export const LOCAL = 'local';

/** @param lines of the file as it is; a block that it has is replaced */
export function withBlock(lines: readonly string[], allow: readonly string[]): string[] {
  const blocks = complementOf(allow.filter((each) => each !== LOCAL));
  // What `all` says of databases does not hold for replication.
  const rejected = blocks.flatMap((block) => [`host all all ${block} reject`, `host replication all ${block} reject`]);
  const local = allow.includes(LOCAL) ? [] : ['local all all reject', 'local replication all reject'];
  return [BEGIN, ...rejected, ...local, END, ...withoutBlock(lines)];
}

export function withoutBlock(lines: readonly string[]): string[] {
  const [begin, end] = [lines.indexOf(BEGIN), lines.indexOf(END)];
  return begin < 0 || end < begin ? [...lines] : [...lines.slice(0, begin), ...lines.slice(end + 1)];
}

export function hasBlock(lines: readonly string[]): boolean {
  return withoutBlock(lines).length < lines.length;
}

/** Whether a file is only the beginning of what was written to it, as when the disk was full: nothing in it decides, or half a block. */
export function isCutShort(lines: readonly string[]): boolean {
  const hasRules = lines.some((line) => /^\s*[^\s#]/.test(line));
  return !hasRules || (lines.includes(BEGIN) && !hasBlock(lines));
}
