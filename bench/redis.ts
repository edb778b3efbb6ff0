/**
 * `npm run bench:redis`: a server with five million keys, captured beside `redis-cli --rdb`, and restored beside a server that
 * loads the same file when it starts; whole processes, in alternating order. Prints a line for each round, then the medians.
 *
 *   --pairs N        rounds of each scenario (5)
 *   --keys N         how many (5000000): half of them texts, the rest hashes of four fields
 *   --only NAME      capture or restore
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Measurement, measure } from './measure.ts';
import { median } from './median.ts';

const HOLDFAST = fileURLToPath(new URL('../bin/holdfast', import.meta.url));
const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    keys: { type: 'string', default: '5000000' },
    only: { type: 'string' },
    directory: { type: 'string', default: join(tmpdir(), 'holdfast-bench-redis') },
  },
});

const at = (...names: string[]): string => join(options.directory, ...names);
const environment = {
  ...process.env,
  HOLDFAST_BENCH_PASSWORD: 'benchmark',
  HOLDFAST_KIT_PASSPHRASE: 'benchmark',
  HOLDFAST_PLAN: at('holdfast.yaml'),
};
const KEYS_AT_ONCE = 100_000;
const FILL = `for i = ARGV[1], ARGV[2] do
  local digest = redis.sha1hex(i)
  if i % 2 == 0 then redis.call('SET', 'session:' .. i, digest .. digest)
  else redis.call('HSET', 'user:' .. i, 'name', digest, 'number', i, 'seen', i * 1000, 'mail', i .. '@example.com') end
end`;

interface Scenario {
  name: string;
  /** Before a turn, untimed. @returns the command that is timed */
  holdfast(): Promise<string[]>;
  other(): Promise<string[]>;
}

interface Turn extends Measurement {
  round: number;
  scenario: string;
  tool: 'holdfast' | 'other';
}

/** A server that is waited for. */
async function startServer(directory: string): Promise<ChildProcess> {
  mkdirSync(directory, { recursive: true });
  const server = spawn('redis-server', serverArguments(directory), { stdio: 'ignore' });
  while (redis(directory, 'ping').stdout.trim() !== 'PONG') await new Promise((resolve) => setTimeout(resolve, 20));
  return server;
}

function serverArguments(directory: string): string[] {
  const socket = join(directory, 'redis.sock');
  return ['--port', '0', '--unixsocket', socket, '--dir', directory, '--save', '', '--repl-diskless-sync-delay', '0'];
}

function redis(directory: string, ...words: string[]) {
  return spawnSync('redis-cli', ['-s', join(directory, 'redis.sock'), ...words], { encoding: 'utf8' });
}

async function fill(): Promise<void> {
  const keys = Number(options.keys);
  for (let first = 1; first <= keys; first += KEYS_AT_ONCE) {
    const last = Math.min(keys, first + KEYS_AT_ONCE - 1);
    const filled = redis(at('source'), 'eval', FILL, '0', String(first), String(last));
    if (filled.status !== 0 || filled.stdout.includes('ERR')) throw new Error(filled.stdout + filled.stderr);
  }
}

function holdfast(...words: string[]): void {
  const ran = spawnSync(HOLDFAST, ['--no-progress', ...words], { env: environment, encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`holdfast ${words.join(' ')} failed: ${ran.stderr}`);
}

function freshRepository(): void {
  rmSync(at('repository'), { recursive: true, force: true });
  holdfast('init');
}

async function endServer(server: ChildProcess | undefined): Promise<void> {
  if (server === undefined) return;
  const ended = new Promise((resolve) => server.once('close', resolve));
  server.kill('SIGKILL');
  await ended;
}

/** Starts a server on the file, and ends it when it has loaded all. */
const LOAD = `redis-server "$@" & pid=$!
until redis-cli -s "$0/redis.sock" ping 2>/dev/null | grep -q PONG; do sleep 0.02; done
kill -KILL $pid`;

function scenarios(state: { target: ChildProcess | undefined }): Scenario[] {
  return [
    {
      name: 'capture',
      async holdfast() {
        freshRepository();
        return [HOLDFAST, '--no-progress', 'backup'];
      },
      async other() {
        rmSync(at('other.rdb'), { force: true });
        return ['redis-cli', '-s', at('source', 'redis.sock'), '--rdb', at('other.rdb')];
      },
    },
    {
      name: 'restore',
      async holdfast() {
        await endServer(state.target);
        rmSync(at('target'), { recursive: true, force: true });
        state.target = await startServer(at('target'));
        return [HOLDFAST, '--no-progress', 'restore', 'cache', '--to', `redis+unix://${at('target', 'redis.sock')}`];
      },
      async other() {
        await endServer(state.target);
        state.target = undefined;
        rmSync(at('loaded'), { recursive: true, force: true });
        mkdirSync(at('loaded'));
        copyFileSync(at('other.rdb'), at('loaded', 'dump.rdb'));
        return ['sh', '-c', LOAD, at('loaded'), ...serverArguments(at('loaded'))];
      },
    },
  ];
}

async function run(): Promise<void> {
  const source = await startServer(at('source'));
  const state: { target: ChildProcess | undefined } = { target: undefined };
  const turns: Turn[] = [];
  try {
    await fill();
    writeFileSync(
      at('holdfast.yaml'),
      `version: 1
name: bench
repositories: { main: { store: ${at('repository')}, password: { env: HOLDFAST_BENCH_PASSWORD } } }
sources: { cache: { type: redis, url: "redis+unix://${at('source', 'redis.sock')}" } }
`,
    );
    freshRepository();
    holdfast('backup');
    redis(at('source'), '--rdb', at('other.rdb'));
    for (const scenario of scenarios(state)) {
      if (options.only !== undefined && options.only !== scenario.name) continue;
      for (let round = 0; round < Number(options.pairs); round++) {
        const order = round % 2 === 0 ? (['holdfast', 'other'] as const) : (['other', 'holdfast'] as const);
        for (const tool of order) {
          const command = await scenario[tool]();
          const measured = measure(command, { cwd: options.directory, env: environment });
          turns.push({ ...measured, round, scenario: scenario.name, tool });
          process.stdout.write(`${JSON.stringify(turns.at(-1))}\n`);
        }
      }
    }
  } finally {
    await Promise.all([endServer(source), endServer(state.target)]);
  }
  report(turns);
}

function report(turns: Turn[]): void {
  for (const name of new Set(turns.map(({ scenario }) => scenario))) {
    const of = (tool: Turn['tool']): Turn[] =>
      turns.filter((turn) => turn.scenario === name && turn.tool === tool).sort((a, b) => a.round - b.round);
    const [ours, others] = [of('holdfast'), of('other')];
    const ratio = median(ours.map(({ wallMs }, index) => others[index]!.wallMs / wallMs));
    const seconds = (each: Turn[]): string => (median(each.map(({ wallMs }) => wallMs)) / 1000).toFixed(1);
    const mebibytes = median(ours.map(({ peakRssBytes }) => peakRssBytes)) / 2 ** 20;
    process.stdout.write(
      `${name}: ${seconds(ours)} s, the other ${seconds(others)} s: ${ratio.toFixed(2)}x, at ${mebibytes.toFixed(0)} MiB\n`,
    );
  }
}

rmSync(options.directory, { recursive: true, force: true });
mkdirSync(options.directory, { recursive: true });
try {
  await run();
} finally {
  rmSync(options.directory, { recursive: true, force: true });
}
