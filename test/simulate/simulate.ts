/**
 * `npm run simulate -- --year`: a year of both playbooks' plans, in minutes. `--days 60` is less of it, `--plan omniflow` or
 * `--plan omni-enterprise` one of the two. Ctrl-C ends it with the day, and what there is by then is judged. With `--keep DIR`
 * all of it is left there, to be looked at with the command line: `. DIR/omniflow/variables.sh; holdfast --plan
 * DIR/omniflow/omniflow.yaml ledger log`. With `--costs` it says what each thing that the daemon does takes of the processor.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Costs } from './costs.ts';
import { judge } from './judge.ts';
import { omniEnterprise } from './omni-enterprise.ts';
import { omniflow } from './omniflow.ts';
import { simulate } from './run.ts';
import type { Verdict } from './verdict.ts';
import { World } from './world.ts';

/** A year from here has the end of one in it, all that is due monthly to yearly, and both days on which clocks change. */
const START_MS = Date.UTC(2024, 11, 11);
/** A day on which a month, a quarter and a year begin is among them. */
const AWAY_ON_DAYS = [21, 182];
const PLANS = { omniflow, 'omni-enterprise': omniEnterprise };

const { values } = parseArgs({
  options: {
    year: { type: 'boolean' },
    days: { type: 'string', default: '30' },
    plan: { type: 'string' },
    keep: { type: 'string' },
    costs: { type: 'boolean' },
  },
});
const days = values.year === true ? 365 : Number(values.days);
let isGood = true;
for (const [name, make] of Object.entries(PLANS)) {
  if (values.plan !== undefined && values.plan !== name) continue;
  const { verdict, seconds } = await judged(make);
  isGood &&= verdict.faults.length === 0;
  for (const fault of verdict.faults) console.log(`${name}: WRONG: ${fault}`);
  const counts = [...verdict.counts].map(([what, count]) => `${count} ${what}`);
  console.log(`${name}: ${verdict.days} days in ${seconds} s: ${counts.join(', ')}; ${verdict.faults.length} faults`);
}
process.exitCode = isGood ? 0 : 1;

async function judged(make: typeof omniflow): Promise<{ verdict: Verdict; seconds: number }> {
  const begunMs = performance.now();
  const world = await World.create(START_MS);
  const scenario = await make(world, START_MS);
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.once('SIGINT', end);
  try {
    const simulated = await simulate(scenario, world, {
      startMs: START_MS,
      days,
      awayOnDays: AWAY_ON_DAYS,
      signal: ending.signal,
      ...(values.costs && { costs: new Costs() }),
      told: (line) => process.stderr.write(`${line}\n`),
    });
    // What is judged is changed a little, to see that this is found.
    if (values.keep !== undefined) world.keep(resolve(values.keep, scenario.name), scenario);
    return {
      verdict: await judge(scenario, world, simulated),
      seconds: Math.round((performance.now() - begunMs) / 1000),
    };
  } finally {
    process.removeListener('SIGINT', end);
    await Promise.all([scenario.close(), world.close()]);
  }
}
