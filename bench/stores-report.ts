/** What was measured on a store far away, in words and tables. */

import type { Measurement } from './measure.ts';
import { median } from './median.ts';
import type { Traffic } from './slow-proxy.ts';

export type StoreMeasurement = Measurement & {
  traffic: Traffic;
  /** Of server and proxy, which share the processors; results of before do not have it. */
  serversCpuMs?: number;
};

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

/** Found by hand: what each process took, the log of the proxy, and profiles. */
const WHAT_BOUNDS_IT = `What bounds these figures are the two processors, more than the distance. To move the 720 MB of packs, radosgw, its storage daemon and the proxy take 3.7 s of processor time for a backup (2.2, 0.8 and 0.7), 1.9 s for a restore (1.0, 0.3 and 0.6), and 5.2 s for a mirror, which moves them twice (3.0, 1.0 and 1.2), of Holdfast as of rclone. These, and what is said of single parts, were measured beside other work, which makes processor seconds up to a fifth longer.

- **First backup**: 10.4 to 12.7 s of its own and the servers' 3.4 to 4.6 s are most of what two processors give meanwhile. Three tenths of its own are compression, 8 % SHA-256, 7 % the MD5 that goes with each pack. Before the first byte is read 0.7 s pass, a third of them round trips, and 0.4 s after the last pack was filled. The five rounds lie between 1.84× and 2.46×; the median of three others, a few minutes before, was 1.97×.
- **Restore**: one from a directory of this machine, with no server at all, takes 4.1 to 5.1 s, and restic's from afar 7.6 to 8.3 s: 1.9× would be reached by a store that costs nothing. 7.4 s of its own, 0.8 s to receive, and the 1.9 s are 5.1 s by the clock at least; the rest is the second and a half before the first byte of content is asked for: what the start, the lock, the index, the trees and the plan take one after the other.
- **Mirror**: rclone takes 0.6 s of its own, and with the 5.2 s that is all that there is in its 3.1 s. Holdfast takes 2.9 s under the same load (3.4 s before answers were read in larger pieces): 0.4 s SHA-256 of what passes, 0.1 s for the password, 0.9 s to start and to open the repository, which grow with nothing, and the rest to move the bytes. So two processors need 4.1 s for it at least. By the clock, on a slower machine (5.0 s, 0.77×): 0.8 s until the first pack is asked for, 3.7 s for the packs, six of which are read together and then put together with both processors busy throughout, and 0.45 s for index, snapshots and ledger, which wait for each other; the packs alone take what rclone's whole run does. What it is beside rclone where the servers have processors of their own was not measured.

What helped: connections that read up to 1 MiB at once into the same memory instead of 64 KiB into new (0.5 s of processor time for 1 GB from a server on loopback instead of 0.9 s; with 256 KiB 0.7 s, with 2 MiB no less than with 1 MiB); one pack that shows whether the primary's MD5s are right, not six; threads that start while the first packs come; the last index sealed while the last packs are on their way, and the ledger looked at before its event is due. What did not help, or was left alone: signing each pack with the SHA-256 that is its name saves the MD5, but the server takes half of that instead, and then nothing holds the tag of its answer against what was sent; the index loaded while a restore chooses its snapshot saves two round trips, but one that is refused would wait for all of it; a lease and a probe begun before it is known whose mirror lies there would write into another's place.`;

export function renderStores({ time, processors, mebibytes, roundTripMs, versions, scenarios }: StoresResults): string {
  const tools = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `
## Stores far away

Measured ${time.slice(0, 10)}: radosgw on loopback, behind a proxy that passes everything on ${roundTripMs} ms of round trip later and holds back neither bytes nor connections; server and proxy share the ${processors} processors with what is measured. Holdfast, ${tools.join(', ')}; the same ${mebibytes} MiB of mixed data and the same tree as above. Caches are empty before each turn. The others run as they are by default and with more requests at once; of each round the faster of the two counts. \`rclone copy\` copies between two remotes, as between two regions. Run it again with \`npm run bench:stores\`.

| | rounds | time | at least | processors taken | the other's | requests | the other's | peak memory over the local store's |
|---|---|---|---|---|---|---|---|---|
${scenarios.map((scenario) => summaryRow(scenario, processors)).join('\n')}

${WHAT_BOUNDS_IT}

${scenarios.map(details).join('\n\n')}
`;
}

/** The faster of the others in a round. */
function peerOf(round: StoreScenario['rounds'][number]): StoreMeasurement | undefined {
  const others = Object.entries(round).filter(([name]) => name !== OWN && name !== LOCAL);
  return others.map(([, measured]) => measured).sort((a, b) => a.wallMs - b.wallMs)[0];
}

function summaryRow({ title, rounds, atLeast, requestsAtMost }: StoreScenario, processors: number): string {
  const taken = [
    processorsTaken(
      rounds.map((round) => round[OWN]!),
      processors,
    ),
    processorsTaken(
      rounds.map((round) => peerOf(round)!),
      processors,
    ),
  ];
  const ratio = median(rounds.map((round) => peerOf(round)!.wallMs / round[OWN]!.wallMs));
  const requests = Math.round(median(rounds.map((round) => requestsOf(round[OWN]!))));
  const others = Math.round(median(rounds.map((round) => requestsOf(peerOf(round)!))));
  const limit = requestsAtMost === undefined ? '' : ` (at most ${requestsAtMost.toLocaleString('en')})`;
  return `| ${title} | ${rounds.length} | **${ratio.toFixed(2)}×** | ${atLeast}× | ${taken.join(' | ')} | ${requests.toLocaleString('en')}${limit} | ${others.toLocaleString('en')} | ${overLocal(rounds)} |`;
}

/** What a tool, the server and the proxy took together, as a part of what the processors had to give meanwhile. */
function processorsTaken(turns: readonly StoreMeasurement[], processors: number): string {
  const parts = turns.flatMap(({ wallMs, cpuMs, serversCpuMs }) =>
    serversCpuMs === undefined ? [] : [(cpuMs + serversCpuMs) / (wallMs * processors)],
  );
  return parts.length === 0 ? '-' : `${Math.round(median(parts) * 100)} %`;
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
  const { wallMs, cpuMs, serversCpuMs, peakRssBytes, traffic } = measured;
  const servers = serversCpuMs ? ` and ${(serversCpuMs / 1000).toFixed(2)} s of servers` : '';
  const requests = Object.entries(traffic.requests).map(([method, count]) => `${count} ${method}`);
  return `${(wallMs / 1000).toFixed(2)} s, ${(cpuMs / 1000).toFixed(2)} s CPU${servers}, ${mebibytesOf(peakRssBytes)}${requests.length === 0 ? '' : `, ${requests.sort().join(' ')}`}`;
}

function mebibytesOf(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
