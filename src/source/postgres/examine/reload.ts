import type { Mend } from '../../index.ts';

/** A line of pg_hba.conf, which the server reads again only when it is told to. */
export function afterReload(line: string): Mend {
  return {
    place: 'pg_hba.conf',
    lines: [line],
    note: 'Above the other lines, since the first that fits counts; then run: SELECT pg_reload_conf();',
  };
}
