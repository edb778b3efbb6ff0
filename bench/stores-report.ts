/** What was measured on a store far away, in words and tables. */

import type { Measurement } from './measure.ts';
import { median } from './median.ts';
import type { Traffic } from './slow-proxy.ts';

export type StoreMeasurement = Measurement & { traffic: Traffic };

export interface StoreScenario {
  name: string;
  title: string;
  /** How many times as fast as the fastest of the others Holdfast must be. */
  atLeast: number;
  requestsAtMost?: number;
  commit: string;
  /** By the names of the tools; `holdfast (local)` is the same on a directory of the machine. */
  rounds: Record<string, StoreMeasurement>[];
}

export interface StoresResults {
  time: string;
  processors: number;
  mebibytes: number;
  roundTripMs: number;
  versions: Record<string, string>;
  scenarios: StoreScenario[];
}

const OWN = 'holdfast';
const LOCAL = 'holdfast (local)';
const MEMORY_OVER_LOCAL_AT_MOST_BYTES = 64 * 2 ** 20;

export function renderStores({ time, processors, mebibytes, roundTripMs, versions, scenarios }: StoresResults): string {
  const tools = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `
## Stores far away

Measured ${time.slice(0, 10)}: radosgw on loopback, behind a proxy that passes everything on ${roundTripMs} ms of round trip later and holds back neither bytes nor connections; server and proxy share the ${processors} processors with what is measured. Holdfast, ${tools.join(', ')}; the same ${mebibytes} MiB of mixed data and the same tree as above. Caches are empty before each turn. The others run as they are by default and with more requests at once; of each round the faster of the two counts. \`rclone copy\` copies between two remotes, as between two regions. Run it again with \`npm run bench:stores\`.

| | rounds | time | at least | requests | the other's | peak memory over the local store's |
|---|---|---|---|---|---|---|
${scenarios.map(summaryRow).join('\n')}

${scenarios.map(details).join('\n\n')}
`;
}

/** The faster of the others in a round. */
function peerOf(round: StoreScenario['rounds'][number]): StoreMeasurement | undefined {
  const others = Object.entries(round).filter(([name]) => name !== OWN && name !== LOCAL);
  return others.map(([, measured]) => measured).sort((a, b) => a.wallMs - b.wallMs)[0];
}

function summaryRow({ title, rounds, atLeast, requestsAtMost }: StoreScenario): string {
  const ratio = median(rounds.map((round) => peerOf(round)!.wallMs / round[OWN]!.wallMs));
  const requests = Math.round(median(rounds.map((round) => requestsOf(round[OWN]!))));
  const others = Math.round(median(rounds.map((round) => requestsOf(peerOf(round)!))));
  const limit = requestsAtMost === undefined ? '' : ` (at most ${requestsAtMost.toLocaleString('en')})`;
  return `| ${title} | ${rounds.length} | **${ratio.toFixed(2)}×** | ${atLeast}× | ${requests.toLocaleString('en')}${limit} | ${others.toLocaleString('en')} | ${overLocal(rounds)} |`;
}

function overLocal(rounds: StoreScenario['rounds']): string {
  const both = rounds.filter((round) => round[LOCAL] !== undefined);
  if (both.length === 0) return '-';
  const peak = (name: string): number => median(both.map((round) => round[name]!.peakRssBytes));
  return `${mebibytesOf(peak(OWN) - peak(LOCAL))} (at most ${mebibytesOf(MEMORY_OVER_LOCAL_AT_MOST_BYTES)})`;
}

function requestsOf({ traffic }: StoreMeasurement): number {
  return Object.values(traffic.requests).reduce((sum, count) => sum + count, 0);
}

function details({ title, commit, rounds }: StoreScenario): string {
  const names = Object.keys(rounds[0] ?? {}).sort();
  const lines = rounds.map(
    (round, index) => `| ${index + 1} | ${names.map((name) => cell(round[name])).join(' | ')} |`,
  );
  return `### ${title}, from afar\n\nAt commit ${commit.slice(0, 12)}.\n\n| | ${names.join(' | ')} |\n|---|${names.map(() => '---|').join('')}\n${lines.join('\n')}`;
}

function cell(measured: StoreMeasurement | undefined): string {
  if (measured === undefined) return '-';
  const { wallMs, cpuMs, peakRssBytes, traffic } = measured;
  const requests = Object.entries(traffic.requests).map(([method, count]) => `${count} ${method}`);
  return `${(wallMs / 1000).toFixed(2)} s, ${(cpuMs / 1000).toFixed(2)} s CPU, ${mebibytesOf(peakRssBytes)}${requests.length === 0 ? '' : `, ${requests.sort().join(' ')}`}`;
}

function mebibytesOf(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
