/**
 * A prune in a process of its own, which can be killed. Argument: the repository; the password is in
 * HOLDFAST_TEST_PASSWORD. Says `opened`, and then `pruned` with how many packs it removed and whether it waits.
 */

import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { openRepository, pruneRepository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';

const repository = await openRepository(
  createLocalStore(process.argv[2] ?? ''),
  process.env['HOLDFAST_TEST_PASSWORD'] ?? '',
);
process.stdout.write('opened\n');
const { swept, waitingFor } = await pruneRepository(repository, {
  clock: systemClock,
  signal: new AbortController().signal,
  progress: noProgress,
  dryRun: false,
  announce: async () => {},
});
process.stdout.write(`pruned ${JSON.stringify({ packs: swept.packs, waits: waitingFor !== undefined })}\n`);
