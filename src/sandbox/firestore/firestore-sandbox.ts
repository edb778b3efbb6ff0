import { randomBytes } from 'node:crypto';
import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { type FirestoreDatabase, firestoreUrl } from '../../foundation/firestore-database.ts';
import type { Sandbox, SandboxTarget } from '../sandbox.ts';

/** What a project offers for its databases. */
export interface DatabaseAdministration extends AsyncDisposable {
  /** The ids of all databases. */
  list(): Promise<string[]>;
  /** One that is not there is none to remove. */
  remove(database: string): Promise<void>;
}

export interface FirestoreSandboxOptions {
  clock: Clock;
  /** Where databases are made. */
  project: string;
  /** The id of the one that is made; one of its own each time, when left out. */
  database?: string | undefined;
  location?: string | undefined;
  /** How long a database stays; it is removed at once, when left out. */
  keepMs?: number | undefined;
  /** The source's own database, which nothing is ever restored to here. */
  living: FirestoreDatabase;
  administration: () => DatabaseAdministration;
}

/** Who was to remove a database may have died: after a day the next one does. */
const ABANDONED_AFTER_MS = 24 * 3600 * 1000;
const OWN_ID = /^holdfast-proof-(\d+)-[0-9a-f]{8}$/;

/**
 * Databases of a project of Google Cloud, each made by the restore into it and removed when it was looked at. Their ids say
 * until when they stay, so that what an earlier run left, or was to keep, is removed by a later one.
 */
export function createFirestoreSandbox(options: FirestoreSandboxOptions): Sandbox {
  return {
    async open(need, progress) {
      if (need.kind !== 'firestore') {
        throw new HoldfastError('internal', `a sandbox of Firestore takes no ${need.kind}`);
      }
      progress.phase('preparing a sandbox database');
      return openDatabase(options);
    },
  };
}

async function openDatabase(options: FirestoreSandboxOptions): Promise<SandboxTarget> {
  const { clock, project, location, keepMs, living } = options;
  const expiresMs = clock.nowMs() + (keepMs ?? ABANDONED_AFTER_MS);
  const own = `holdfast-proof-${Math.floor(expiresMs / 1000)}-${randomBytes(4).toString('hex')}`;
  const database = options.database ?? own;
  if (project === living.project && database === living.database) {
    throw new HoldfastError('sandbox-failed', `${project}/${database} is the living database, and no sandbox`, {
      hint: 'Give the sandbox another project, or another `database`.',
      context: { project, database },
    });
  }
  await using administration = options.administration();
  const there = await administration.list();
  if (there.includes(database)) {
    throw new HoldfastError('sandbox-failed', `the database ${project}/${database} exists: a sandbox is made anew`, {
      hint: `Leave \`database\` out of the sandbox, or remove it: \`gcloud firestore databases delete --project=${project} --database=${database}\`.`,
      context: { project, database },
    });
  }
  for (const id of there.filter((each) => hasExpired(each, clock.nowMs()))) await administration.remove(id);
  const url = firestoreUrl({ project, database });
  const until = new Date(expiresMs).toISOString();
  return {
    target: { kind: 'database', url, label: `sandbox database ${url}`, sandbox: true },
    create: location === undefined ? {} : { location },
    notes: keepMs === undefined ? [] : [`the restored database is kept until ${until}: ${url}`],
    close: async () => {
      if (keepMs === undefined) await removed(options, database);
    },
  };
}

function hasExpired(id: string, nowMs: number): boolean {
  const expires = OWN_ID.exec(id)?.[1];
  return expires !== undefined && Number(expires) * 1000 < nowMs;
}

async function removed({ administration: open, project }: FirestoreSandboxOptions, database: string): Promise<void> {
  await using administration = open();
  try {
    await administration.remove(database);
  } catch (error) {
    throw new HoldfastError(
      'sandbox-failed',
      `the sandbox ${project}/${database} was not removed: ${messageOf(error)}`,
      {
        hint: `It costs storage until it is: \`gcloud firestore databases delete --project=${project} --database=${database}\`.`,
        context: { project, database },
        cause: error,
      },
    );
  }
}
