import { connect } from 'node:net';
import { HoldfastError } from '../../foundation/errors.ts';

const TIMEOUT_MS = 10_000;

/**
 * Says something to a Redis server at a socket, a command a line, and takes what it answers.
 * Source: Redis's documentation, "Redis serialization protocol", inline commands.
 * @param isOver whether that is all
 * @param timeoutMs how long it may say nothing: ten seconds, when left out
 * @throws sandbox-failed where it hangs up before, or says nothing for long
 */
export function talk(
  path: string,
  commands: readonly string[],
  isOver: (said: string) => boolean,
  timeoutMs = TIMEOUT_MS,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    let said = '';
    const fail = (why: string): void => {
      socket.destroy();
      reject(
        new HoldfastError('sandbox-failed', `the sandbox server ${why}`, { context: { said: said.slice(0, 200) } }),
      );
    };
    socket.setTimeout(timeoutMs, () => fail('does not answer'));
    socket.once('connect', () => socket.write(`${commands.join('\r\n')}\r\n`));
    socket.on('data', (bytes: Buffer) => {
      said += bytes.toString('latin1');
      if (!isOver(said)) return;
      socket.destroy();
      resolve(said);
    });
    socket.once('error', () => fail('hung up')).once('close', () => fail('hung up'));
  });
}
