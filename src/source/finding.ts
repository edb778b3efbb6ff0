import type { HoldfastError } from '../foundation/errors.ts';

/** What was found of one thing that a backup needs, before the first one is taken. */
export interface Finding {
  /**
   * `ok`: it is as it should be. `warning`: a backup can be taken, and something is less than it could be. `missing`: no
   * backup can be taken, or none of everything.
   */
  level: 'ok' | 'warning' | 'missing';
  /** What it is about, in a word or two: `connection`, `wal_level`, a path. */
  about: string;
  /** One sentence, lower case and without a full stop, as the message of an error. Never with a secret. */
  message: string;
  /** What puts it right, wherever a line can. */
  mend?: Mend;
}

/** Lines to be taken over exactly as they are. */
export interface Mend {
  /**
   * Where they go. `sql`: run by a superuser, in the database of the source. `pg_hba.conf`: above its other lines, since the
   * first that fits counts. `shell`: on the machine that the finding is about. `person`: a sentence of what to do, where no
   * line can do it.
   */
  place: 'sql' | 'postgresql.conf' | 'pg_hba.conf' | 'shell' | 'plan' | 'person';
  lines: string[];
  /** A sentence of what belongs to it: a server that has to be restarted afterwards. */
  note?: string;
}

/** An error that keeps backups from being taken, as a finding; its hint says what to do. */
export function findingOfError(about: string, error: HoldfastError): Finding {
  const reason = error.context['reason'];
  const isSaid = typeof reason !== 'string' || reason === '' || error.message.includes(reason);
  return {
    level: 'missing',
    about,
    message: isSaid ? error.message : `${error.message}: ${reason}`,
    ...(error.hint !== undefined && { mend: { place: 'person', lines: [error.hint] } }),
  };
}
