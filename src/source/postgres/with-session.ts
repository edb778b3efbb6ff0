import { parseLocation } from './location.ts';
import { Session } from './session.ts';

/** Does something in a session of its own at a living server, and ends it. @throws as `Session.open`; what the work throws */
export async function withSession<T>(
  url: string,
  signal: AbortSignal,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await Session.open(parseLocation(url), { side: 'source', signal });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
