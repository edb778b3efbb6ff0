/** Holds what became of a simulated plan against what it promises. What it computes shares nothing with the product. */
import { judgeAlerts } from './judge-alerts.ts';
import { judgeDrills, judgeReviews, judgeTasks } from './judge-due.ts';
import { judgeLedgers } from './judge-ledger.ts';
import { judgeSnapshots } from './judge-snapshots.ts';
import type { Simulated } from './run.ts';
import type { Scenario } from './scenario.ts';
import { Verdict } from './verdict.ts';
import { DAY_MS, type World } from './world.ts';

export async function judge(scenario: Scenario, world: World, simulated: Simulated): Promise<Verdict> {
  const verdict = new Verdict((simulated.untilMs - simulated.fromMs) / DAY_MS);
  judgeSnapshots(scenario, simulated, verdict);
  judgeTasks(scenario, simulated, verdict);
  judgeDrills(simulated, verdict);
  judgeReviews(scenario, simulated, verdict);
  judgeAlerts(scenario, world.told, simulated, verdict);
  await judgeLedgers(scenario, simulated, verdict);
  return verdict;
}
