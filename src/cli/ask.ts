import { StringDecoder } from 'node:string_decoder';
import type { ReadStream } from 'node:tty';
import { HoldfastError } from '../foundation/errors.ts';

const ENTER = ['\r', '\n'];
const END_OF_INPUT = '\u0004';
const INTERRUPT = '\u0003';
const BACKSPACE = ['\u007f', '\b'];
const ERASE_LINE = '\u0015';

/** What a question needs of a terminal. */
export interface Terminal {
  input: Pick<ReadStream, 'isTTY' | 'setRawMode' | 'on' | 'off' | 'resume' | 'pause'>;
  output: { write(text: string): unknown };
}

/**
 * Asks for a secret on the terminal and shows nothing of it.
 * @throws interrupted at Ctrl-C, or at Ctrl-D on an empty line
 */
export function askSecret(question: string, { input, output }: Terminal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const decoder = new StringDecoder('utf8');
  let typed = '';
  const take = (bytes: Buffer): void => {
    for (const character of decoder.write(bytes)) {
      if (ENTER.includes(character)) resolve(typed);
      else if (character === INTERRUPT || (character === END_OF_INPUT && typed === '')) {
        reject(new HoldfastError('interrupted', 'interrupted'));
      } else if (character === ERASE_LINE) typed = '';
      else if (BACKSPACE.includes(character)) typed = [...typed].slice(0, -1).join('');
      else if (character >= ' ') typed += character;
    }
  };
  output.write(question);
  input.setRawMode(true);
  input.on('data', take);
  input.resume();
  return promise.finally(() => {
    input.off('data', take);
    input.setRawMode(false);
    input.pause();
    output.write('\n');
  });
}
