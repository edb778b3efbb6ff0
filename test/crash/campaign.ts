/**
 * Kills commands of Holdfast, whole processes with SIGKILL, and demands after each that stock restic finds both repositories
 * clean and that every snapshot that was acknowledged restores byte for byte.
 *
 * Every other kill comes at a random moment, and the others at a named instant: before or after one of the changes that the
 * command makes to a repository. Each single change in turn is what the tests of prune, retain, repair and copy go through.
 */

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment, HOLDFAST, initialise } from '../support/cli.ts';
import { noise } from '../support/repository.ts';
import { restic } from '../support/restic.ts';

const KILL_AT = fileURLToPath(new URL('./kill-at.ts', import.meta.url));
const COMMANDS = ['backup', 'copy', 'retain', 'prune', 'repair'] as const;
type Command = (typeof COMMANDS)[number];

export interface CampaignReport {
  kills: number;
  /** How many of each command were killed before they were done, and how many came to their end first. */
  killed: Record<Command, number>;
  finished: Record<Command, number>;
  /** How many kills hit which named instant: `before put index`. */
  instants: Record<string, number>;
  acknowledged: number;
  restored: number;
}

/** When a command is killed: so long after its start, or before or after a change by its number. */
type Instant = { afterMs: number } | { at: string };

interface Ended {
  /** Undefined when it was killed. */
  exit: number | undefined;
  output: string;
  tookMs: number;
  /** What `kill-at.ts` says of it; undefined when it was killed by the clock. */
  note: string | undefined;
}

/** @throws what was found wrong, with the round and the command */
export async function runCampaign(
  kills: number,
  onKill: (report: CampaignReport) => void = () => {},
): Promise<CampaignReport> {
  const campaign = new Campaign();
  try {
    await campaign.prepare(COMMANDS.slice(0, kills));
    for (let round = 0; round < kills; round++) {
      await campaign.kill(COMMANDS[round % COMMANDS.length]!, round);
      onKill(campaign.report);
    }
    campaign.verify(true);
    return campaign.report;
  } catch (error) {
    throw new Error(`after ${campaign.report.kills} kills, in ${campaign.directory}: ${String(error)}`, {
      cause: error,
    });
  }
}

class Campaign {
  readonly directory = mkdtempSync(join(tmpdir(), 'campaign-'));
  readonly report: CampaignReport = {
    kills: 0,
    killed: { backup: 0, copy: 0, retain: 0, prune: 0, repair: 0 },
    finished: { backup: 0, copy: 0, retain: 0, prune: 0, repair: 0 },
    instants: {},
    acknowledged: 0,
    restored: 0,
  };
  readonly #data = join(this.directory, 'data');
  /** What snapshots of `main` that were acknowledged hold. */
  readonly #digests = new Map<string, string>();
  /** How long a command takes that nobody kills, at its last time. */
  readonly #tookMs = new Map<Command, number>();
  /** How many changes a command makes that nobody kills, at its last time. */
  readonly #changes = new Map<Command, number>();

  /** Lets each of these commands, which are to be killed, come to its end once. */
  async prepare(commands: readonly Command[]): Promise<void> {
    mkdirSync(this.#data);
    writeFileSync(
      join(this.directory, 'holdfast.yaml'),
      `version: 1
name: test
repositories:
  main: { store: ./main, password: { env: HOLDFAST_PASSWORD } }
  archive: { store: ./archive, password: { env: HOLDFAST_PASSWORD } }
sources:
  files: { type: files, paths: [${this.#data}], repository: main, retention: { last: 2 } }
`,
    );
    this.#change(0);
    for (const name of ['main', 'archive']) await initialise(this.directory, name);
    for (const command of commands) {
      this.#change(this.#tookMs.size + 1);
      await this.#giveWork(command);
      const run = (): Promise<Ended> => this.#finish(this.#words(command));
      const { output, tookMs, note } = command === 'retain' ? await this.#forget(run) : await run();
      this.#tookMs.set(command, tookMs);
      this.#changes.set(command, Number(note));
      if (command === 'backup') this.#acknowledge(output);
    }
  }

  /** Runs a command, kills it, and looks at what it left. */
  async kill(command: Command, round: number): Promise<void> {
    this.#change(round + 10);
    await this.#giveWork(command);
    const run = (): Promise<Ended> => this.#run(this.#words(command), this.#instant(command, round));
    const ended = command === 'retain' ? await this.#forget(run) : await run();
    this.#count(command, ended);
    if (ended.exit !== undefined && ended.exit !== 0)
      throw new Error(`${command} ended with ${ended.exit}: ${ended.output}`);
    if (ended.exit === 0 && command === 'backup') this.#acknowledge(ended.output);
    // What lost its index has it again once the repair is run to its end.
    if (command === 'repair') await this.#finish(['repair', '--json']);
    this.verify(round % 10 === 9);
  }

  /** Something to do for each of them, at every instant. */
  async #giveWork(command: Command): Promise<void> {
    if (command === 'retain' || command === 'copy' || command === 'prune') {
      this.#acknowledge((await this.#finish(['backup', '--json'])).output);
    }
    if (command === 'prune') await this.#forget(() => this.#finish(['retain', '--json']));
    if (command === 'repair') rmSync(join(this.directory, 'main', 'index'), { recursive: true });
  }

  /** Five commands take turns, and so do two kinds of instants: each command comes to both. */
  #instant(command: Command, round: number): Instant {
    if (round % 2 === 0) return { afterMs: Math.random() * this.#tookMs.get(command)! };
    // A run may make more changes than the one before did; one that makes fewer comes to its end, and tells how many.
    const number = 1 + Math.floor(Math.random() * 1.2 * this.#changes.get(command)!);
    return { at: `${Math.random() < 0.5 ? 'before' : 'after'} ${number}` };
  }

  #count(command: Command, { exit, note }: Ended): void {
    this.report.kills++;
    this.report[exit === undefined ? 'killed' : 'finished'][command]++;
    if (note === undefined) return;
    // One that the clock killed as it ended had said by then how many there were.
    const isCount = /^\d+$/.test(note);
    if (exit !== undefined) this.#changes.set(command, Number(note));
    else if (!isCount) this.report.instants[note] = (this.report.instants[note] ?? 0) + 1;
  }

  /** @param all restores every snapshot that was acknowledged; else the newest and one more */
  verify(all: boolean): void {
    for (const repository of ['main', 'archive']) {
      // The lock of a process that was killed is stale for restic as well; it removes it when asked to.
      restic(join(this.directory, repository), ['unlock']);
      restic(join(this.directory, repository), ['check', '--read-data']);
    }
    const ids = [...this.#digests.keys()];
    const chosen = all ? ids : [ids.at(-1)!, ids[Math.floor(Math.random() * ids.length)]!];
    for (const id of new Set(chosen)) this.#restore(id);
  }

  #restore(id: string): void {
    const target = join(this.directory, 'restored');
    rmSync(target, { recursive: true, force: true });
    const { status, stderr } = spawnSync(HOLDFAST, ['restore', 'files', '--snapshot', id, '--to', target], {
      cwd: this.directory,
      env: environment(),
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`snapshot ${id} does not restore: ${stderr}`);
    if (digestOf(join(target, this.#data)) !== this.#digests.get(id))
      throw new Error(`snapshot ${id} is not what it was`);
    this.report.restored++;
  }

  #words(command: Command): string[] {
    if (command === 'copy') return ['copy', '--from', 'main', '--to', 'archive', '--json'];
    return [command, '--json'];
  }

  #acknowledge(output: string): void {
    this.#digests.set(JSON.parse(output).sources[0].snapshot, digestOf(this.#data));
    this.report.acknowledged++;
  }

  /** Work that removes snapshots: those alone that the retention says beforehand need not be there afterwards. */
  async #forget(work: () => Promise<Ended>): Promise<Ended> {
    const planned = JSON.parse((await this.#finish(['retain', '--dry-run', '--json'])).output);
    const ended = await work();
    for (const { snapshot } of planned.sources[0].remove) this.#digests.delete(snapshot);
    return ended;
  }

  async #finish(words: string[]): Promise<Ended> {
    const ended = await this.#run(words, undefined);
    if (ended.exit !== 0) throw new Error(`${words.join(' ')} ended with ${ended.exit}: ${ended.output}`);
    return ended;
  }

  #run(words: string[], instant: Instant | undefined): Promise<Ended> {
    const note = join(this.directory, 'note');
    rmSync(note, { force: true });
    const env = environment({
      NODE_OPTIONS: `--import=${KILL_AT}`,
      HOLDFAST_KILL_BELOW: this.directory,
      HOLDFAST_KILL_NOTE: note,
      ...(instant !== undefined && 'at' in instant && { HOLDFAST_KILL_AT: instant.at }),
    });
    const startMs = performance.now();
    const child = spawn(HOLDFAST, words, {
      cwd: this.directory,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (text: Buffer) => {
      output += text.toString();
    });
    const isTimed = instant !== undefined && 'afterMs' in instant;
    const timer = isTimed ? setTimeout(() => child.kill('SIGKILL'), instant.afterMs) : undefined;
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (exit, signal) => {
        clearTimeout(timer);
        resolve({
          exit: signal === null ? (exit ?? -1) : undefined,
          output,
          tookMs: performance.now() - startMs,
          note: existsSync(note) ? readFileSync(note, 'utf8') : undefined,
        });
      });
    });
  }

  /** Gives some of the files new content, so that every command has something to do at every instant. */
  #change(round: number): void {
    for (let index = 0; index < 24; index++) {
      if (round > 0 && (index + round) % 3 !== 0) continue;
      writeFileSync(join(this.#data, `${index}`), noise(150_000 + index * 9000, `${round} ${index}`));
    }
    // Large enough to be read in parts, by the threads.
    if (round % 4 === 0) writeFileSync(join(this.#data, 'large'), noise(5_000_000, `${round}`));
  }
}

/** One digest of all files below a directory, names and contents. */
function digestOf(directory: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(directory, name);
    if (statSync(path).isFile()) hash.update(name).update('\0').update(readFileSync(path));
  }
  return hash.digest('hex');
}
