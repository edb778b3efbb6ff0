import { stripVTControlCharacters } from 'node:util';
import { systemClock } from '../foundation/clock.ts';
import type { Progress, Total } from '../foundation/progress.ts';
import { awaitedLater } from '../foundation/promises.ts';
import { formatDuration, formatSize, formatThroughput } from '../foundation/units.ts';
import { ofOthers, printable } from './text.ts';

/** Work that is over sooner is not worth showing. */
const SHOW_AFTER_MS = 2000;
const REDRAW_EVERY_MS = 200;
/** Where the output is no terminal, a plain line now and then. */
const PLAIN_LINE_EVERY_MS = 10_000;

interface Task {
  label: string;
  phase: string;
  startedMs: number;
  phaseStartedMs: number;
  total: Total;
  /** Finds the total out, where nobody has begun to. */
  estimate: (() => Promise<Total>) | undefined;
  bytes: number;
  items: number;
  /** When a plain line was last printed for it. */
  printedMs: number;
}

/** Draws what is going on: one line per task that redraws itself on a terminal, plain lines elsewhere. */
export class ProgressDisplay {
  readonly #stream: NodeJS.WriteStream;
  readonly #mode: 'terminal' | 'plain' | 'off';
  readonly #tasks = new Map<string, Task>();
  #timer: NodeJS.Timeout | undefined;
  #drawnLines = 0;
  #panel: (() => readonly string[]) | undefined;

  constructor(stream: NodeJS.WriteStream, enabled: boolean) {
    this.#stream = stream;
    this.#mode = !enabled ? 'off' : stream.isTTY ? 'terminal' : 'plain';
  }

  task(label: string): Progress {
    return {
      phase: (name, total) => this.#phase(label, name, total),
      advance: ({ bytes = 0, items = 0 }) => {
        const task = this.#tasks.get(label);
        if (task === undefined) return;
        task.bytes += bytes;
        task.items += items;
      },
      note: (message) => this.print(ofOthers(`${label}: ${message}`)),
      finish: () => this.#tasks.delete(label),
    };
  }

  /** On a terminal, draws lines of somebody else's above the tasks, anew all the time. */
  panel(lines: () => readonly string[]): void {
    if (this.#mode !== 'terminal') return;
    this.#panel = lines;
    this.#keepDrawing();
  }

  /** Prints a line above what is drawn. */
  print(line: string): void {
    this.#erase();
    this.#stream.write(`${printable(line)}\n`);
    this.#draw();
  }

  /** The same, where a person has typed something, which stands behind the cursor. */
  printTyped(line: string): void {
    if (this.#drawnLines === 0) this.#stream.write('\n');
    this.print(line);
  }

  /** Ends the drawing and leaves nothing of it. */
  stop(): void {
    clearInterval(this.#timer);
    this.#erase();
    this.#tasks.clear();
    this.#panel = undefined;
  }

  #phase(label: string, phase: string, given: Total | (() => Promise<Total>) = {}): void {
    const now = systemClock.monotonicMs();
    const startedMs = this.#tasks.get(label)?.startedMs ?? now;
    const [total, estimate] = typeof given === 'function' ? [{}, given] : [given, undefined];
    const counters = { bytes: 0, items: 0, total, estimate };
    this.#tasks.set(label, { label, phase, startedMs, phaseStartedMs: now, printedMs: now, ...counters });
    this.#keepDrawing();
  }

  #keepDrawing(): void {
    if (this.#timer !== undefined || this.#mode === 'off') return;
    this.#timer = setInterval(() => (this.#mode === 'terminal' ? this.#redraw() : this.#printPlain()), REDRAW_EVERY_MS);
    this.#timer.unref();
  }

  #redraw(): void {
    this.#erase();
    this.#draw();
  }

  #erase(): void {
    if (this.#drawnLines > 0) this.#stream.write(`\r\u001b[${this.#drawnLines}A\u001b[0J`);
    this.#drawnLines = 0;
  }

  #draw(): void {
    if (this.#mode !== 'terminal') return;
    const now = systemClock.monotonicMs();
    const shown = [...this.#tasks.values()].filter(({ startedMs }) => now - startedMs >= SHOW_AFTER_MS);
    for (const task of shown) findTotal(task);
    const lines = [...(this.#panel?.() ?? []), ...shown.map((task) => describe(task, now))];
    const columns = (this.#stream.columns ?? 80) - 1;
    for (const line of lines) this.#stream.write(`${printable(cut(line, columns))}\n`);
    this.#drawnLines = lines.length;
  }

  #printPlain(): void {
    const now = systemClock.monotonicMs();
    for (const task of this.#tasks.values()) {
      const isFirst = task.printedMs === task.phaseStartedMs;
      if (now - task.printedMs < (isFirst ? SHOW_AFTER_MS : PLAIN_LINE_EVERY_MS)) continue;
      task.printedMs = now;
      findTotal(task);
      this.#stream.write(`${printable(ofOthers(describe(task, now)))}\n`);
    }
  }
}

/** A line that is longer than the terminal is wide would be two of them. Colours are given up where it is cut. */
function cut(line: string, columns: number): string {
  const oneLine = ofOthers(line);
  const plain = stripVTControlCharacters(oneLine);
  return plain.length <= columns ? oneLine : `${plain.slice(0, Math.max(0, columns - 1))}…`;
}

/** Until it is found, and where it cannot be, nothing is said of it. */
function findTotal(task: Task): void {
  const { estimate } = task;
  if (estimate === undefined) return;
  task.estimate = undefined;
  awaitedLater(
    estimate().then((total) => {
      task.total = total;
    }),
  );
}

/** `uploads: reading files  45%  1.2 GiB of 2.7 GiB  312 MiB/s  5 s left` */
function describe(task: Task, now: number): string {
  const elapsedMs = now - task.phaseStartedMs;
  const parts = [`${task.label}: ${task.phase}`];
  const fraction = doneFraction(task);
  if (fraction !== undefined) parts.push(`${Math.floor(fraction * 100)}%`);
  if (task.bytes > 0) {
    parts.push(
      task.total.bytes === undefined
        ? formatSize(task.bytes)
        : `${formatSize(task.bytes)} of ${formatSize(task.total.bytes)}`,
    );
    parts.push(formatThroughput(task.bytes, elapsedMs));
  } else if (task.items > 0) {
    parts.push(task.total.items === undefined ? `${task.items}` : `${task.items} of ${task.total.items}`);
  }
  parts.push(
    fraction !== undefined && fraction > 0.01 && fraction < 1
      ? `${formatDuration((elapsedMs / fraction) * (1 - fraction))} left`
      : `${formatDuration(elapsedMs)} so far`,
  );
  return parts.join('  ');
}

/** A total may be a guess: what is more than all of it says nothing. */
function doneFraction({ bytes, items, total }: Task): number | undefined {
  const fraction = total.bytes ? bytes / total.bytes : total.items ? items / total.items : undefined;
  return fraction === undefined || fraction > 1 ? undefined : fraction;
}
