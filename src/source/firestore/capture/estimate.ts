import { HoldfastError } from '../../../foundation/errors.ts';
import type { Estimate, EstimateContext } from '../../index.ts';
import { openFirestore, openFirestoreAdmin } from '../connection.ts';
import { beginReading, type FirestoreCaptureOptions, scopesOf } from './capture.ts';
import { countDocuments } from './count.ts';
import { databaseFacts } from './database-facts.ts';
import { enableRecovery, expectedMs, HOUR_MS } from './moment.ts';
import { answersAcross } from './probe.ts';
import { costOf } from './read-meter.ts';

/**
 * What a backup would read, by a count on the server, which itself costs a thousandth of that.
 * @throws source-unreachable, source-refused; source-unsupported where the server does not count across collections
 */
export async function estimateBackup(options: FirestoreCaptureOptions, context: EstimateContext): Promise<Estimate> {
  await using connection = openFirestore(options.database, options.endpoint);
  await using admin = openFirestoreAdmin(options.database.project, options.endpoint);
  const facts = await databaseFacts(admin, connection);
  const { reading } = await beginReading(
    { ...options, budget: { price: options.budget.price } },
    connection,
    facts,
    context,
  );
  const scopes = scopesOf(options.collections);
  const documents = await countDocuments(reading, scopes);
  if (documents === undefined) {
    throw new HoldfastError('source-unsupported', 'the server does not count documents across collections', {
      hint: 'An emulator may not; Google does.',
      context: { database: connection.database },
    });
  }
  const isAcross = await answersAcross(reading, scopes[0]!);
  // Counting, and in the last resort a question for each document.
  const reads = isAcross ? documents + Math.ceil(documents / 1000) + scopes.length + 1 : documents * 2;
  const durationMs = expectedMs(documents, undefined);
  const { reads: allowed, cost: affordable, price } = options.budget;
  const cost = costOf(reads, price);
  const notes = [
    ...(isAcross ? [] : ['this server asks for a request for each document']),
    ...((allowed !== undefined && reads > allowed) || (affordable !== undefined && cost > affordable)
      ? ['this is more than the budget in the plan: the backup would be refused']
      : []),
    ...(facts.recovery !== 'enabled' && durationMs > HOUR_MS
      ? [`this would outlast the hour that a moment is kept, and be refused. ${enableRecovery(options.database)}`]
      : []),
    `the estimate itself took ${reading.meter.reads} reads`,
  ];
  return { items: documents, unit: 'documents', reads, writes: 0, deletes: 0, cost, durationMs, notes };
}
