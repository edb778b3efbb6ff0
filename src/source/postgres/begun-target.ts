import { hash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { quoteIdentifier, quoteLiteral } from './identifiers.ts';
import { type Location, labelOf } from './location.ts';
import { objectsOf, type TargetObject } from './prepare-target.ts';
import type { Session } from './session.ts';

/**
 * A database that a run of a runbook fills. A schema in it says which run: it is made while the database is empty and goes as
 * the last of all, and with the database. Where it is found, all that is beside it came since, and from that run: what it left
 * when it was killed is removed, and it begins anew.
 */
const SCHEMA = 'holdfast_restore';
/** Held by whoever fills a database, as long as its session lasts. The letters of the name, as two numbers. */
const LOCK = [0x686f6c64, 0x66617374] as const;
const NOT_ALLOWED = '42501';
const LONGEST_MS = 10_000;
const PAUSE_MS = 100;

interface Mark {
  by: string;
  /** The run made the database itself. */
  created: boolean;
}

/** A location whose sessions can be told from all others, for as long as a run fills the database. */
export function markedLocation(location: Location, begunBy: string | undefined): Location {
  return begunBy === undefined ? location : { ...location, application: applicationOf(begunBy) };
}

function applicationOf(begunBy: string): string {
  return `holdfast ${hash('sha256', begunBy).slice(0, 16)}`;
}

/** Whether a database is half filled by this very run. */
export async function isBegunBy(session: Session, begunBy: string | undefined): Promise<boolean> {
  return begunBy !== undefined && (await readMark(session))?.by === begunBy;
}

export class BegunTarget {
  readonly #session: Session;
  readonly #mark: Mark;
  /** The run was here before, and the database is empty again but for the mark. */
  readonly isResumed: boolean;
  #isMarked: boolean;

  private constructor(session: Session, mark: Mark, isResumed: boolean) {
    this.#session = session;
    this.#mark = mark;
    this.isResumed = isResumed;
    this.#isMarked = isResumed;
  }

  /**
   * Empties a database that this very run half filled; any other is left as it is.
   * @param created by this attempt
   * @throws target-unsuitable where somebody else fills it, or uses it; target-failed
   */
  static async open(session: Session, begunBy: string, created: boolean): Promise<BegunTarget> {
    await lock(session);
    const mark = await readMark(session);
    if (mark?.by !== begunBy) return new BegunTarget(session, { by: begunBy, created }, false);
    await endOthers(session, begunBy);
    if (mark.created) await resetSettings(session);
    await empty(session);
    return new BegunTarget(session, mark, true);
  }

  get created(): boolean {
    return this.#mark.created;
  }

  /** Of a database that is empty. Where the login may make no schema, it goes without: what is left then is for a person. */
  async mark(): Promise<void> {
    if (this.#isMarked) return;
    const text = quoteLiteral(JSON.stringify(this.#mark));
    try {
      await this.#session.query(
        'mark the database as being filled',
        `BEGIN; CREATE SCHEMA ${SCHEMA}; COMMENT ON SCHEMA ${SCHEMA} IS ${text}; COMMIT`,
      );
      this.#isMarked = true;
    } catch (error) {
      if (!isHoldfastError(error) || error.context['sqlState'] !== NOT_ALLOWED) throw error;
      await this.#session.query('go on without a mark', 'ROLLBACK');
    }
  }

  /** Everything is there. */
  async release(): Promise<void> {
    if (this.#isMarked) await removeMark(this.#session);
  }
}

/** Everything is there, in a database that this very run filled. Harmless where it has no mark, or another run's. */
export async function releaseTarget(session: Session, begunBy: string): Promise<void> {
  if (await isBegunBy(session, begunBy)) await removeMark(session);
}

/*
 * One table or schema comes beside what a database has in one transaction, and the mark with it: where it is found, all of it is
 * there.
 */

/** In the transaction that brings it. Where the login may make no schema, it goes without. */
export async function markBeside(session: Session, begunBy: string): Promise<void> {
  const schema = besideSchema(begunBy);
  const text = quoteLiteral(JSON.stringify({ by: begunBy, created: false } satisfies Mark));
  await session.query('mark what is restored', 'SAVEPOINT marking');
  try {
    await session.query('mark what is restored', `CREATE SCHEMA ${schema}; COMMENT ON SCHEMA ${schema} IS ${text}`);
  } catch (error) {
    if (!isHoldfastError(error) || error.context['sqlState'] !== NOT_ALLOWED) throw error;
    await session.query('go on without a mark', 'ROLLBACK TO marking');
  }
}

/** Whether this very run brought it, and was killed before that was recorded. */
export async function isBesideOf(session: Session, begunBy: string | undefined): Promise<boolean> {
  return begunBy !== undefined && (await readMark(session, besideSchema(begunBy)))?.by === begunBy;
}

/** Harmless where there is no mark. */
export async function releaseBeside(session: Session, begunBy: string): Promise<void> {
  if (await isBesideOf(session, begunBy)) await removeMark(session, besideSchema(begunBy));
}

/** Several runs may bring something to one database. */
function besideSchema(begunBy: string): string {
  return `${SCHEMA}_${hash('sha256', begunBy).slice(0, 16)}`;
}

async function removeMark(session: Session, schema = SCHEMA): Promise<void> {
  // A database that was restored may have been set to be read only.
  await session.query('remove the mark of the restore', `BEGIN READ WRITE; DROP SCHEMA ${schema}; COMMIT`);
}

async function lock(session: Session): Promise<void> {
  const { held } = await session.one(
    'see whether somebody else fills the database',
    `SELECT pg_catalog.pg_try_advisory_lock(${LOCK.join(', ')})::text AS held`,
  );
  if (held === 'true') return;
  throw new HoldfastError('target-unsuitable', `another restore fills the database ${labelOf(session.location)}`, {
    hint: 'Wait until it has ended, or name another database.',
  });
}

async function readMark(session: Session, schema = SCHEMA): Promise<Mark | undefined> {
  const { text } = await session.one(
    'see who began to fill the database',
    `SELECT pg_catalog.obj_description(oid, 'pg_namespace') AS text FROM pg_catalog.pg_namespace WHERE nspname = $1`,
    [schema],
  );
  try {
    const mark = JSON.parse(text ?? 'null') as Partial<Mark> | null;
    return typeof mark?.by === 'string' ? { by: mark.by, created: mark.created === true } : undefined;
  } catch {
    // A schema of that name that is somebody's own.
    return undefined;
  }
}

/** What the killed run's programs still do there is ended; whoever else is there is not thrown out. */
async function endOthers(session: Session, begunBy: string): Promise<void> {
  const application = applicationOf(begunBy);
  for (let waitedMs = 0; ; waitedMs += PAUSE_MS) {
    // Server processes of no user, such as autovacuum's, do not count.
    const others = await session.query(
      'see who else uses the database',
      `SELECT application_name AS name, CASE WHEN application_name = $1 THEN pg_catalog.pg_terminate_backend(pid) END::text AS ended
         FROM pg_catalog.pg_stat_activity
        WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() AND usesysid IS NOT NULL`,
      [application],
    );
    if (others.length === 0) return;
    const foreign = others.filter(({ name }) => name !== application).length;
    if (foreign > 0 || waitedMs > LONGEST_MS) throw inUse(session, foreign);
    await pause(PAUSE_MS);
  }
}

function inUse({ location }: Session, foreign: number): HoldfastError {
  const who = foreign === 0 ? 'the killed restore has sessions there that do not end' : 'others are connected to it';
  return new HoldfastError(
    'target-unsuitable',
    `the database ${labelOf(location)} was half filled by this step before, and ${who}`,
    { hint: 'See pg_stat_activity. Once nobody is there any more, the step empties it, and fills it again.' },
  );
}

/** Those of a database that the run made: they came at its end, and might make it read only. */
async function resetSettings(session: Session): Promise<void> {
  const database = quoteIdentifier(session.location.database);
  await session.query(
    "take the database's settings back",
    `BEGIN READ WRITE; ALTER DATABASE ${database} RESET ALL; COMMIT; SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE`,
  );
}

/** Everything but the mark. Relations come first, one by one: all at once may be more than a server has locks for. */
async function empty(session: Session): Promise<void> {
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const objects = (await objectsOf(session)).filter(({ type, identity }) => type !== 'schema' || identity !== SCHEMA);
    if (objects.length === 0) return;
    if (objects.length >= before) throw notEmptied(session, objects[0]!);
    before = objects.length;
    const [schemas, others] = [objects.filter(isSchema), objects.filter((each) => !isSchema(each))];
    for (const each of [...others, ...schemas]) await session.query(`remove ${each.text}`, dropStatement(each));
  }
}

function isSchema({ type }: TargetObject): boolean {
  return type === 'schema';
}

/** What `pg_identify_object` calls otherwise than DROP. */
const DROPPED_AS: Readonly<Record<string, string>> = {
  aggregate: 'ROUTINE',
  'foreign-data wrapper': 'FOREIGN DATA WRAPPER',
};

function dropStatement({ type, identity }: TargetObject): string {
  if (type === 'large object') {
    return `SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = ${Number(identity)}`;
  }
  return `DROP ${DROPPED_AS[type] ?? type.toUpperCase()} IF EXISTS ${identity} CASCADE`;
}

function notEmptied({ location }: Session, { text }: TargetObject): HoldfastError {
  return new HoldfastError('target-failed', `${text} cannot be removed from the database ${labelOf(location)}`, {
    hint: 'This step half filled it before: drop the database, and have the step done again.',
  });
}
