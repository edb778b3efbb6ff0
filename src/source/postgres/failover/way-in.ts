import { type Location, parseLocation } from '../location.ts';
import { Session } from '../session.ts';

/**
 * A fence has every new session load a library of this name, which no server has: the session ends before it could do
 * anything, superusers' as well, and the error that it ends with says why. The setting lies in postgresql.auto.conf, so that it
 * outlives a restart, and does not go to the standbys with the log, as whatever lies in catalogs would.
 * Source: PostgreSQL's documentation, "Shared Library Preloading", session_preload_libraries.
 */
export const FENCE_LIBRARY = 'fenced_by_holdfast';

/** A session that a fence lets in: a superuser may say for itself what it loads. */
export function openInside(url: string, signal: AbortSignal): Promise<Session> {
  return Session.open(insideOf(parseLocation(url)), { side: 'source', signal });
}

export function insideOf(location: Location): Location {
  const options = [location.parameters.get('options'), '-c session_preload_libraries='].filter(Boolean).join(' ');
  return { ...location, parameters: new Map([...location.parameters, ['options', options]]) };
}
