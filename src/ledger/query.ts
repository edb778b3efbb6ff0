import type { LedgerEvent } from './events.ts';

/** Which events are wanted. What is left out is not asked for. */
export interface EventQuery {
  kinds?: readonly string[];
  /** Names of sources that they are about. */
  sources?: readonly string[];
  /** Who: all of `user@host`, or a part of it. */
  actor?: string;
  /** Milliseconds since 1970: not before, and before. */
  sinceMs?: number;
  untilMs?: number;
  /** The newest of them, so many at most. */
  limit?: number;
}

export function matches(event: LedgerEvent, { kinds, sources, actor, sinceMs, untilMs }: EventQuery): boolean {
  if (kinds !== undefined && !kinds.includes(event.kind)) return false;
  if (actor !== undefined && !event.actor.includes(actor)) return false;
  const timeMs = Date.parse(event.time);
  if (sinceMs !== undefined && !(timeMs >= sinceMs)) return false;
  if (untilMs !== undefined && !(timeMs < untilMs)) return false;
  return sources === undefined || sourcesOf(event).some((name) => sources.includes(name));
}

/** The names of the sources that an event is about. */
export function sourcesOf({ body }: LedgerEvent): string[] {
  const { source, sources, task } = (body ?? {}) as { source?: unknown; sources?: unknown; task?: unknown };
  const members = Array.isArray(sources)
    ? sources.map((each) => (each as { source?: unknown } | null)?.source ?? each)
    : [];
  const ofTask = typeof task === 'string' ? task.slice(task.indexOf(':') + 1) : undefined;
  return [source, ...members, ofTask].filter((name) => typeof name === 'string');
}
