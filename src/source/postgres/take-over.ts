import type pg from 'pg';

/** Gives bytes to pg, as if they came from the socket. */
export type PassOn = (bytes: Buffer) => void;

/**
 * Puts itself between a connection's socket and pg, which would make an object of each message.
 * @param read takes what comes; while its promise is open, the socket is paused, which is the back-pressure
 * @param fail is told what `read` threw, once; the connection is gone then
 * @returns gives the socket back to pg
 */
export function takeOver(
  { stream }: pg.Connection,
  read: (chunk: Buffer, pass: PassOn) => Promise<void> | undefined,
  fail: (error: unknown) => void,
): () => void {
  const listeners = stream.listeners('data') as PassOn[];
  const pass: PassOn = (bytes) => {
    for (const listener of listeners) listener.call(stream, bytes);
  };
  const giveUp = (error: unknown): void => {
    fail(error);
    // The server would go on sending; there is no way to stop it that is quicker than hanging up.
    stream.destroy();
  };
  const onData = (chunk: Buffer): void => {
    try {
      const reading = read(chunk, pass);
      if (reading === undefined) return;
      stream.pause();
      reading.then(() => stream.resume(), giveUp);
    } catch (error) {
      giveUp(error);
    }
  };
  for (const listener of listeners) stream.off('data', listener);
  stream.on('data', onData);
  return () => {
    stream.off('data', onData);
    for (const listener of listeners) stream.on('data', listener);
  };
}
