import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterEach, expect, it } from 'vitest';
import { testDirectory } from '../../test/support/repository.ts';

const PRIORITY = new URL('priority.ts', import.meta.url).href;
const hasSessions = existsSync('/proc/self/autogroup');

/** Does what it is told, line by line. */
const SCRIPT = `
  import { getPriority } from 'node:os';
  import { createInterface } from 'node:readline';
  import { atFullWeight, letOthersGoFirst } from '${PRIORITY}';
  const ends = [];
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'low') await letOthersGoFirst({ hasUrgentWork: true });
    if (line === 'urgent') atFullWeight(() => new Promise((resolve) => ends.push(resolve)));
    if (line === 'over') ends.pop()();
    if (line === 'end') break;
    await new Promise((resolve) => setTimeout(resolve, 20));
    console.log(getPriority());
  }
  process.exit();`;

type Process = ChildProcessByStdio<Writable, Readable, null>;

const started: Process[] = [];
afterEach(() => {
  for (const each of started.splice(0)) each.kill('SIGKILL');
});

/** A session of its own, so that the tests' keeps its weight, in which processes are started. */
class Session {
  readonly #leader: Process;
  readonly #lines: Interface;
  readonly #directory: string;

  private constructor(leader: Process, directory: string) {
    this.#leader = leader;
    this.#lines = createInterface({ input: leader.stdout });
    this.#directory = directory;
  }

  static open(): Session {
    const script = `while read -r name; do "${process.execPath}" --input-type=module -e "$SCRIPT" <"$HOME/$name.in" >"$HOME/$name.out" & echo $!; done; wait`;
    const directory = testDirectory();
    const environment = { ...process.env, SCRIPT, HOME: directory, XDG_STATE_HOME: directory };
    const leader = spawn('setsid', ['sh', '-c', script], { stdio: ['pipe', 'pipe', 'ignore'], env: environment });
    started.push(leader as Process);
    return new Session(leader as Process, directory);
  }

  /** @returns the process's id */
  async start(name: string): Promise<Started> {
    const paths = ['in', 'out'].map((end) => `${this.#directory}/${name}.${end}`);
    await once(spawn('mkfifo', paths), 'exit');
    const line = once(this.#lines, 'line');
    this.#leader.stdin.write(`${name}\n`);
    const write = spawn('sh', ['-c', `cat >"${paths[0]}"`], { stdio: ['pipe', 'ignore', 'ignore'] });
    const read = spawn('cat', [paths[1]!], { stdio: ['ignore', 'pipe', 'ignore'] });
    started.push(write as never, read as never);
    return new Started(Number((await line)[0]), write.stdin, createInterface({ input: read.stdout }));
  }

  /** Files by which processes of a session know of each other. */
  left(): string[] {
    return readdirSync(join(this.#directory, 'holdfast', 'sessions'));
  }

  get niceness(): number {
    return Number(/ nice (-?\d+)/.exec(readFileSync(`/proc/${this.#leader.pid}/autogroup`, 'utf8'))?.[1]);
  }
}

class Started {
  readonly pid: number;
  readonly #input: Writable;
  readonly #lines: Interface;

  constructor(pid: number, input: Writable, lines: Interface) {
    this.pid = pid;
    this.#input = input;
    this.#lines = lines;
  }

  /** @returns its own niceness then */
  async told(line: string): Promise<number> {
    const answer = once(this.#lines, 'line');
    this.#input.write(`${line}\n`);
    return Number((await answer)[0]);
  }
}

it('goes behind the other processes and sessions, and not while it does what has no time', async () => {
  const session = Session.open();
  const working = await session.start('a');
  const seen: number[] = [];
  for (const line of ['low', 'urgent', 'urgent', 'over', 'over']) {
    const niceness = await working.told(line);
    const wanted = niceness === 0 ? 0 : 10;
    if (hasSessions) await expect.poll(() => session.niceness).toBe(wanted);
    seen.push(niceness);
  }
  expect(seen).toEqual([10, 0, 0, 0, 10]);
});

it.skipIf(!hasSessions)(
  'leaves its session as it was when it is killed, once nobody else there wants it so',
  async () => {
    const session = Session.open();
    const [one, other] = [await session.start('a'), await session.start('b')];
    for (const each of [one, other]) await each.told('low');
    expect(session.niceness).toBe(10);
    process.kill(one.pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(session.niceness).toBe(10);
    process.kill(other.pid, 'SIGKILL');
    await expect.poll(() => session.niceness, { timeout: 5000 }).toBe(0);
  },
);
