/** `npm run crash -- --kills 500`: the campaign of kills, as long as one likes. */

import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';

const { values } = parseArgs({ options: { kills: { type: 'string', default: '500' } } });
const startMs = performance.now();
const report = await runCampaign(Number(values.kills), ({ kills }) => {
  if (kills % 10 === 0)
    console.log(`${kills} kills, clean, after ${Math.round((performance.now() - startMs) / 1000)} s`);
});
const counts = (of: Record<string, number>): string =>
  Object.entries(of)
    .map(([command, count]) => `${command} ${count}`)
    .join(', ');
console.log(`killed before they were done: ${counts(report.killed)}`);
console.log(`done before they were killed: ${counts(report.finished)}`);
console.log(`at named instants: ${counts(report.instants)}`);
console.log(
  `${report.kills} kills: every check of stock restic clean, ${report.acknowledged} snapshots acknowledged, ${report.restored} restores byte for byte`,
);
