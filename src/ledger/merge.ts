/**
 * Several records as one. Each is in its order already and stays so: an event stands where its time says, but never before
 * what is ahead of it in its own record, since a clock may have been set back.
 * @param records each oldest first; times are RFC 3339 in UTC, as events have them
 */
export function mergedByTime<Event extends { time: string }>(records: readonly (readonly Event[])[]): Event[] {
  const placed = records.flatMap((record) => {
    let latest = '';
    return record.map((event) => {
      if (event.time > latest) latest = event.time;
      return { event, at: latest };
    });
  });
  return placed.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).map(({ event }) => event);
}
