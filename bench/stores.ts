/**
 * `npm run bench:stores`: Holdfast beside restic and rclone on an S3 server of this machine, 20 ms away. Whole processes, in
 * alternating order, with the requests that each made. Writes stores.json after each scenario, and RESULTS.md anew.
 *
 *   --directory DIR    for data and what is restored
 *   --pairs N          rounds of each scenario (5)
 *   --only NAME,…      these scenarios, kept beside the others' last results
 *   --tools NAME,…     these tools alone; then nothing is written
 *   --mebibytes N      of mixed data (1500), --files N of the tree (100000)
 *   --round-trip MS    how far away the server is (20)
 *   --log FILE         a line for each request
 */

import { type ChildProcess, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { type RadosgwAddress, startRadosgw } from '../test/support/radosgw.ts';
import { commitNow } from './commit.ts';
import { measure, processorMsOf } from './measure.ts';
import { writeReport } from './report.ts';
import { emptyFiles, makeData, RESTORED } from './scenarios.ts';
import { type SlowProxy, startSlowProxy } from './slow-proxy.ts';
import type { StoreMeasurement, StoreScenario, StoresResults } from './stores-report.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const RESULTS = here('stores.json');
const HOLDFAST = here('../bin/holdfast');
const PASSWORD = 'benchmark';

const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    only: { type: 'string' },
    tools: { type: 'string' },
    mebibytes: { type: 'string', default: '1500' },
    files: { type: 'string', default: '100000' },
    'round-trip': { type: 'string', default: '20' },
    directory: { type: 'string', default: join(tmpdir(), 'holdfast-bench') },
    log: { type: 'string' },
  },
});

/** Where one data set is worked on. */
interface Place {
  directory: string;
  data: string;
}

interface Scenario extends Omit<StoreScenario, 'rounds' | 'commit'> {
  data: 'mixed' | 'tree';
  contenders: Contender[];
}

interface Contender {
  name: string;
  /** Before the first round. */
  prepare?(place: Place): Promise<void>;
  /** Before a turn, untimed. @param target for what is restored. @returns the command that is timed */
  turn(place: Place, target: string): Promise<string[]>;
}

/** The server, and the way to it. */
class Servers {
  readonly #directory: string;
  readonly #children: ChildProcess[] = [];
  readonly #address: RadosgwAddress;
  readonly proxy: SlowProxy;

  private constructor(directory: string, children: ChildProcess[], address: RadosgwAddress, proxy: SlowProxy) {
    this.#directory = directory;
    this.#children = children;
    this.#address = address;
    this.proxy = proxy;
  }

  static async start(): Promise<Servers> {
    const directory = join(options.directory, 'radosgw');
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    const children: ChildProcess[] = [];
    const address = await startRadosgw(directory, children);
    const proxy = await startSlowProxy(address.endpoint, Number(options['round-trip']), options.log);
    return new Servers(directory, children, address, proxy);
  }

  get variables(): NodeJS.ProcessEnv {
    const { accessKeyId, secretAccessKey } = this.#address;
    return {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
    };
  }

  /** What server and proxy have taken of the processors so far. */
  get cpuMs(): number {
    return processorMsOf([this.proxy.pid, ...this.#children.map(({ pid }) => pid!)]);
  }

  /** An empty bucket; the bytes of what was there are gone. */
  async emptyBucket(name: string): Promise<void> {
    const words = ['--conf', 'ceph.conf', 'bucket', 'rm', '--bucket', name, '--purge-objects', '--bypass-gc'];
    spawnSync('radosgw-admin', words, { cwd: this.#directory, encoding: 'utf8' });
    const { accessKeyId, secretAccessKey, endpoint } = this.#address;
    const credentials = { accessKeyId, secretAccessKey };
    const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: name }));
    client.destroy();
  }

  stop(): void {
    this.proxy.stop();
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

const servers = await Servers.start();
process.on('exit', () => servers.stop());

function environment({ directory }: Place): NodeJS.ProcessEnv {
  const remote = (name: string): NodeJS.ProcessEnv => ({
    [`RCLONE_CONFIG_${name}_TYPE`]: 's3',
    [`RCLONE_CONFIG_${name}_PROVIDER`]: 'Ceph',
    [`RCLONE_CONFIG_${name}_ENV_AUTH`]: 'true',
    [`RCLONE_CONFIG_${name}_ENDPOINT`]: servers.proxy.endpoint,
  });
  // Nothing here is encrypted, and rclone does not take certificates from there.
  const { AWS_CA_BUNDLE: _unused, ...own } = process.env;
  return {
    ...own,
    ...servers.variables,
    // Two remotes: within one it would have the server copy, which servers of two regions do not.
    ...remote('HERE'),
    ...remote('THERE'),
    RCLONE_CONFIG: '/dev/null',
    RESTIC_PASSWORD: PASSWORD,
    HOLDFAST_BENCH_PASSWORD: PASSWORD,
    XDG_CACHE_HOME: join(directory, 'cache'),
    HOLDFAST_PLAN: join(directory, 'holdfast.yaml'),
  };
}

/** @param mirror also has it mirrored: then a backup would be, too */
function writePlan({ directory, data }: Place, store: string, { mirror = false } = {}): void {
  const far = `, s3: { endpoint: ${servers.proxy.endpoint}, pathStyle: true }`;
  const main = `store: ${store}, password: { env: HOLDFAST_BENCH_PASSWORD }${store === FAR ? far : ''}`;
  writeFileSync(
    join(directory, 'holdfast.yaml'),
    `version: 1
name: bench
repositories:
  main: { ${main} }
${mirror ? `  mirror: { store: s3://mirror/holdfast, mirrorOf: main${far} }\n` : ''}sources: { data: { type: files, paths: [${data}] } }
`,
  );
}

function run(command: readonly string[], place: Place): void {
  const [name, ...args] = command as [string, ...string[]];
  const options = { cwd: place.directory, env: environment(place), encoding: 'utf8', maxBuffer: 1 << 28 } as const;
  const { status, stderr } = spawnSync(name, args, options);
  if (status !== 0) throw new Error(`${command.join(' ')} failed: ${stderr}`);
}

const holdfast = (...words: string[]): string[] => [HOLDFAST, '--no-progress', ...words];

function restic(tuning: readonly string[], ...words: string[]): string[] {
  return ['restic', '--quiet', ...tuning, '--repo', `s3:${servers.proxy.endpoint}/peer/restic`, ...words];
}

/** What whoever has such a server sets: more connections than the five of the default. */
const TUNED = ['-o', 's3.connections=32'];
/** The priority that Holdfast gives its backups: else what the server and the machine do would fall on it alone. */
const AS_HOLDFAST = ['nice', '-n', '10'];
const LOCAL = 'holdfast';
const FAR = 's3://main/holdfast';

/** What was kept of repositories; not Holdfast's own code, which is compiled once on any machine. */
function removeCache({ directory }: Place): void {
  const cache = join(directory, 'cache');
  for (const tool of existsSync(cache) ? readdirSync(cache) : []) {
    for (const name of readdirSync(join(cache, tool))) {
      if (name !== 'compiled') rmSync(join(cache, tool, name), { recursive: true, force: true });
    }
  }
}

/** An empty repository of Holdfast's in a bucket, or in a directory. */
async function freshHoldfast(place: Place, store: string): Promise<void> {
  removeCache(place);
  if (store === FAR) await servers.emptyBucket('main');
  else rmSync(store, { recursive: true, force: true });
  writePlan(place, store);
  run(holdfast('init'), place);
}

async function freshRestic(place: Place): Promise<void> {
  removeCache(place);
  await servers.emptyBucket('peer');
  run(restic(TUNED, 'init', '--repository-version', '2'), place);
}

const local = ({ directory }: Place): string => join(directory, LOCAL);

function backups(): Contender[] {
  const ofHoldfast = (name: string, store: (place: Place) => string): Contender => ({
    name,
    async turn(place) {
      await freshHoldfast(place, store(place));
      return holdfast('backup');
    },
  });
  const ofRestic = (name: string, tuning: readonly string[]): Contender => ({
    name,
    async turn(place) {
      await freshRestic(place);
      return restic(tuning, 'backup', place.data);
    },
  });
  return [
    ofHoldfast('holdfast', () => FAR),
    ofHoldfast('holdfast (local)', local),
    ofRestic('restic', []),
    ofRestic('restic (32 connections)', TUNED),
  ];
}

/** As on a machine that has nothing yet, the caches neither. */
function restores(): Contender[] {
  const ofHoldfast = (name: string, store: (place: Place) => string): Contender => ({
    name,
    async prepare(place) {
      await freshHoldfast(place, store(place));
      run(holdfast('backup'), place);
    },
    async turn(place, target) {
      removeCache(place);
      writePlan(place, store(place));
      return holdfast('restore', 'data', '--to', target);
    },
  });
  const ofRestic = (name: string, tuning: readonly string[]): Contender => ({
    name,
    async prepare(place) {
      await freshRestic(place);
      run(restic(TUNED, 'backup', place.data), place);
    },
    async turn(place, target) {
      removeCache(place);
      return restic(tuning, 'restore', 'latest', '--target', target);
    },
  });
  return [
    ofHoldfast('holdfast', () => FAR),
    ofHoldfast('holdfast (local)', local),
    ofRestic('restic', []),
    ofRestic('restic (32 connections)', TUNED),
  ];
}

function mirrors(): Contender[] {
  const ofRclone = (name: string, flags: readonly string[]): Contender => ({
    name,
    async turn() {
      await servers.emptyBucket('copy');
      return ['rclone', 'copy', 'HERE:main/holdfast', 'THERE:copy/holdfast', ...flags];
    },
  });
  return [
    {
      name: 'holdfast',
      async prepare(place) {
        await freshHoldfast(place, FAR);
        run(holdfast('backup'), place);
      },
      async turn(place) {
        await servers.emptyBucket('mirror');
        removeCache(place);
        writePlan(place, FAR, { mirror: true });
        return holdfast('replicate');
      },
    },
    ofRclone('rclone', []),
    ofRclone('rclone (32 at once)', ['--transfers', '32', '--checkers', '32', '--fast-list', '--s3-no-check-bucket']),
  ];
}

const SCENARIOS: Scenario[] = [
  { name: 'backup', title: 'first backup', atLeast: 2, data: 'mixed', contenders: backups() },
  { name: 'restore', title: 'restore', atLeast: 2, data: 'mixed', contenders: restores() },
  { name: 'mirror', title: 'a mirror of all of it', atLeast: 1, data: 'mixed', contenders: mirrors() },
  {
    name: 'small-files',
    title: `restore of ${Number(options.files).toLocaleString('en')} small files`,
    atLeast: 1,
    requestsAtMost: Number(options.files) / 50,
    data: 'tree',
    contenders: restores(),
  },
];

async function measureAll(): Promise<void> {
  const only = options.only?.split(',');
  const before = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as StoresResults).scenarios : [];
  const scenarios = new Map(before.map((each) => [each.name, each]));
  for (const scenario of SCENARIOS) {
    if (only !== undefined && !only.includes(scenario.name)) continue;
    scenarios.set(scenario.name, await measureScenario(scenario));
    if (options.tools !== undefined) continue;
    const inOrder = SCENARIOS.map(({ name }) => scenarios.get(name)).filter((each) => each !== undefined);
    const results: StoresResults = { ...circumstances(), scenarios: inOrder };
    writeFileSync(RESULTS, `${JSON.stringify(results, null, 1)}\n`);
    writeReport();
  }
}

async function measureScenario({ contenders, data, ...about }: Scenario): Promise<StoreScenario> {
  const place = placeOf(data);
  makeData(place, data, { mebibytes: Number(options.mebibytes), files: Number(options.files) });
  const tools = options.tools?.split(',');
  const chosen = contenders.filter(({ name }) => tools === undefined || tools.includes(name));
  const prepared = new Set<Contender['prepare']>();
  for (const { name, prepare } of chosen) {
    // One repository serves both ways of asking restic for it.
    if (prepare === undefined || prepared.has(prepare) || name === 'restic (32 connections)') continue;
    await prepare(place);
    prepared.add(prepare);
  }
  const rounds: StoreScenario['rounds'] = [];
  for (let round = 0; round < Number(options.pairs); round++) {
    const measured: StoreScenario['rounds'][number] = {};
    for (const contender of round % 2 === 0 ? chosen : chosen.toReversed()) {
      measured[contender.name] = await measureTurn(contender, place, round);
      console.log(`${about.name} ${round + 1}: ${contender.name}: ${shown(measured[contender.name]!)}`);
    }
    rounds.push(measured);
  }
  return { ...about, commit: commitNow(), rounds };
}

async function measureTurn(contender: Contender, place: Place, round: number): Promise<StoreMeasurement> {
  emptyFiles(join(place.directory, RESTORED));
  const target = join(place.directory, RESTORED, `${process.pid} ${round} ${contender.name}`);
  const command = await contender.turn(place, target);
  spawnSync('sync');
  await servers.proxy.traffic();
  const beforeMs = servers.cpuMs;
  const measured = measure([...AS_HOLDFAST, ...command], { cwd: place.directory, env: environment(place) });
  return { ...measured, serversCpuMs: servers.cpuMs - beforeMs, traffic: await servers.proxy.traffic() };
}

function placeOf(data: string): Place {
  const directory = join(options.directory, data);
  mkdirSync(directory, { recursive: true });
  return { directory, data: join(directory, 'data') };
}

function shown({ wallMs, cpuMs, serversCpuMs = 0, peakRssBytes, traffic }: StoreMeasurement): string {
  const [wall, own, servers] = [wallMs, cpuMs, serversCpuMs].map((ms) => (ms / 1000).toFixed(2));
  return `${wall} s, ${own} s CPU, ${servers} s CPU of servers, ${Math.round(peakRssBytes / 2 ** 20)} MiB, ${JSON.stringify(traffic)}`;
}

function circumstances(): Omit<StoresResults, 'scenarios'> {
  const versionOf = (program: string): string =>
    /v?(\d+\.\S+)/.exec(spawnSync(program, ['version'], { encoding: 'utf8' }).stdout)?.[1] ?? 'unknown';
  return {
    time: new Date().toISOString(),
    processors: cpus().length,
    mebibytes: Number(options.mebibytes),
    roundTripMs: Number(options['round-trip']),
    versions: { restic: versionOf('restic'), rclone: versionOf('rclone') },
  };
}

await measureAll();
rmSync(join(options.directory, 'radosgw'), { recursive: true, force: true });
process.exit();
