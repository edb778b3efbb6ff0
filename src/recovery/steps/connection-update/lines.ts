/** Files with lines such as NAME=value, as systemd, Docker and shells read them. Pure. */
import { HoldfastError } from '../../../foundation/errors.ts';

/** What all of these read as it is written. */
const PLAIN = /^[\w./:@%+,=?&~!*-]*$/;

/**
 * The text with another value in each line of a name, or a new line at its end where it has none. The other lines stay as
 * they are. Quotes stay where there were some; a value that needs them gets them.
 * @throws bad-usage for a value that no such line can hold
 */
export function setLine(text: string, name: string, value: string): string {
  if (/[\r\n\0]/.test(value)) throw unfit(name, 'it has more than one line');
  const pattern = new RegExp(`^(\\s*(?:export\\s+)?${escaped(name)}\\s*=\\s*)(["']?)`);
  let isFound = false;
  const lines = text.split('\n').map((line) => {
    const [, before, quote = ''] = pattern.exec(line) ?? [];
    if (before === undefined) return line;
    isFound = true;
    return `${before}${quoted(name, value, quote)}${line.endsWith('\r') ? '\r' : ''}`;
  });
  if (isFound) return lines.join('\n');
  const gap = text === '' || text.endsWith('\n') ? '' : '\n';
  return `${text}${gap}${name}=${quoted(name, value, '')}\n`;
}

function quoted(name: string, value: string, quote: string): string {
  if (quote === '' && PLAIN.test(value)) return value;
  const fits = (each: string): boolean =>
    !value.includes(each) && !value.includes('\\') && !(each === '"' && /[$`]/.test(value));
  const chosen = [quote, "'", '"'].find((each) => each !== '' && fits(each));
  if (chosen === undefined) throw unfit(name, 'it has characters that need different quotes at the same time');
  return `${chosen}${value}${chosen}`;
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function unfit(name: string, why: string): HoldfastError {
  return new HoldfastError('bad-usage', `the value of ${name} cannot stand in a line: ${why}`, {
    hint: 'Percent-encode the special characters of the connection string.',
  });
}
