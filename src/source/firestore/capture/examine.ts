import { systemClock } from '../../../foundation/clock.ts';
import { HoldfastError, messageOf } from '../../../foundation/errors.ts';
import { type ExamineContext, type Finding, findingOfError } from '../../index.ts';
import { openFirestore, openFirestoreAdmin } from '../connection.ts';
import { outsideNote } from '../managed/details.ts';
import { beginReading, type FirestoreCaptureOptions, scopesOf } from './capture.ts';
import { type DatabaseFacts, databaseFacts } from './database-facts.ts';
import { readIndexes } from './indexes.ts';
import { enableRecoveryCommand } from './moment.ts';
import { answersAcross } from './probe.ts';
import type { Reading } from './reading.ts';
import { collectionsBelow } from './walk.ts';

const READ_ROLE = 'roles/datastore.viewer';

/** For a handful of reads: the way there, point-in-time recovery, the collections of the plan, queries across them. */
export async function examineFirestore(
  options: FirestoreCaptureOptions & { bucket?: string | undefined },
  { signal }: ExamineContext,
): Promise<Finding[]> {
  await using connection = openFirestore(options.database, options.endpoint);
  await using admin = openFirestoreAdmin(options.database.project, options.endpoint);
  const facts = await databaseFacts(admin, connection);
  const findings: Finding[] = [];
  try {
    const unlimited = { ...options, budget: { price: options.budget.price } };
    const { reading } = await beginReading(unlimited, connection, facts, { clock: systemClock, signal });
    const where = options.endpoint.emulator === undefined ? '' : `, on the emulator at ${options.endpoint.emulator}`;
    findings.push({ level: 'ok', about: 'connection', message: `${connection.database} can be read${where}` });
    const { bucket } = options;
    findings.push(recoveryFinding(facts, options, bucket === undefined ? LASTING : EXPORTING));
    findings.push(...(await collectionFindings(options, reading)));
    if (bucket === undefined) findings.push(await queryFinding(options, reading));
    else findings.push({ level: 'warning', about: 'managed export', message: outsideNote(bucket) });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    return [...findings, findingOfError('connection', error)];
  }
  findings.push(await indexFinding(admin, connection.database, signal));
  return findings;
}

/** What point-in-time recovery is for: where documents are read, and where Google exports them. */
const LASTING = {
  enabled: 'a backup may last for days',
  disabled: 'a backup that lasts longer than an hour is refused',
  unknown: 'a backup that lasts longer than an hour fails',
};
const EXPORTING = {
  enabled: 'an export is of one minute',
  disabled: 'an export is of no one moment',
  unknown: 'without it an export is of no one moment',
};

function recoveryFinding(
  { recovery, reason }: DatabaseFacts,
  { database }: FirestoreCaptureOptions,
  means: typeof LASTING,
): Finding {
  const about = 'point-in-time recovery';
  if (recovery === 'enabled') return { level: 'ok', about, message: `is enabled: ${means.enabled}` };
  const command = enableRecoveryCommand(database);
  const message =
    recovery === 'disabled'
      ? `is not enabled: ${means.disabled}`
      : `is not known to be enabled (${reason}): ${means.unknown}`;
  return { level: 'warning', about, message, mend: { place: 'shell', lines: [command] } };
}

async function collectionFindings({ collections }: FirestoreCaptureOptions, reading: Reading): Promise<Finding[]> {
  const found = await collectionsBelow(reading, `${reading.connection.database}/documents`);
  const missing = (collections ?? []).filter((collection) => !found.includes(collection));
  const findings = missing.map(
    (collection): Finding => ({
      level: 'warning',
      about: `collection ${collection}`,
      message: 'has no documents',
      mend: { place: 'plan', lines: [`collections: [${found.join(', ')}]`], note: 'These are in the database.' },
    }),
  );
  if (findings.length > 0) return findings;
  const left = collections === undefined ? [] : found.filter((collection) => !collections.includes(collection));
  const message = left.length === 0 ? 'all of them are backed up' : `not backed up: ${left.join(', ')}`;
  return [{ level: 'ok', about: 'collections', message }];
}

async function queryFinding({ collections }: FirestoreCaptureOptions, reading: Reading): Promise<Finding> {
  const about = 'queries';
  if (await answersAcross(reading, scopesOf(collections)[0]!)) {
    return { level: 'ok', about, message: 'all collections are read by one query, in parts side by side' };
  }
  return {
    level: 'warning',
    about,
    message: 'the server refuses one query for all collections: each document costs a request more',
  };
}

async function indexFinding(
  admin: ReturnType<typeof openFirestoreAdmin>,
  database: string,
  signal: AbortSignal,
): Promise<Finding> {
  const about = 'indexes';
  try {
    const { indexes } = await readIndexes(admin, database);
    return {
      level: 'ok',
      about,
      message: `${indexes.length} composite indexes are backed up as firestore.indexes.json`,
    };
  } catch (error) {
    signal.throwIfAborted();
    return {
      level: 'warning',
      about,
      message: `cannot be read and will not be in a backup: ${messageOf(error)}`,
      mend: { place: 'person', lines: [`Give the credentials the role \`${READ_ROLE}\`, which may list them.`] },
    };
  }
}
