/** Whether the ledger of the year verifies, and one flipped bit in it is found. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { verifyLedgers } from '../../src/operations/index.ts';
import { flipBit } from './damage.ts';
import type { Simulated } from './run.ts';
import type { Scenario } from './scenario.ts';
import type { Verdict } from './verdict.ts';

/** So many objects have a bit flipped, each by itself, from the first of a listing to the last. */
const FLIPPED = 3;

export async function judgeLedgers(scenario: Scenario, { workspace }: Simulated, verdict: Verdict): Promise<void> {
  const { repositories, failures } = await verifyLedgers(workspace, {});
  for (const { repository, error } of failures) verdict.fault(`the ledger of ${repository}: ${error.message}`);
  for (const { repository, state, events, faults } of repositories) {
    verdict.count('events verified', events);
    if (state === 'tampered')
      verdict.fault(`the ledger of ${repository}: ${faults.map(({ message }) => message).join('; ')}`);
  }
  const directory = join(scenario.repositories.primary!.directory, 'holdfast', 'ledger');
  const objects = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();
  for (let index = 0; index < FLIPPED; index++) {
    const object = objects[Math.round((index * (objects.length - 1)) / (FLIPPED - 1))]!;
    const at = Math.floor((statSync(object).size * (index + 1)) / (FLIPPED + 1));
    flipBit(object, at);
    const {
      repositories: [verified],
    } = await verifyLedgers(workspace, { repository: 'primary' });
    flipBit(object, at);
    const isNamed = verified!.faults.some((fault) => object.endsWith(fault.object ?? fault.message));
    if (verified!.state !== 'tampered' || !isNamed) verdict.fault(`a flipped bit in ${object} was not found`);
    verdict.count('flipped bits found');
  }
  const {
    repositories: [mended],
  } = await verifyLedgers(workspace, { repository: 'primary' });
  if (mended!.state === 'tampered') verdict.fault('the ledger does not verify without the flipped bit');
}
