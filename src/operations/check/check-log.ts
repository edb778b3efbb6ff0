import { snapshotTimeMs } from '../../format/index.ts';
import { type HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import {
  compareRanges,
  type DamagedLog,
  earlier,
  type Finding,
  isCovered,
  type LogPosition,
  type LogRange,
  LogTail,
  later,
  lsnText,
  parseLsnText,
  type Repository,
  type StoredSnapshot,
  type TailEntry,
  type TailOwner,
} from '../../repository/index.ts';
import { findHoles } from '../log/holes.ts';
import { StoredLog } from '../log/stored-log.ts';

export interface CheckedLog {
  /** Objects of the tail that were read, and their bytes. */
  objects: number;
  bytes: number;
  findings: Finding[];
}

/** What is to be read of a repository while somebody may add to it. */
export interface LogCheckInputs {
  repository: Repository;
  snapshots: () => Promise<readonly StoredSnapshot[]>;
  events: () => Promise<readonly LedgerEvent[]>;
}

/** A listing is not one moment: what is missing in one is believed when it is missing in the next as well. */
const ATTEMPTS = 3;

/**
 * Reads all of a log's tail, holds each object against its name and against what overlaps it, and looks for holes in the log,
 * in the tail and in snapshots, that nobody recorded. Damage is a finding, not an exception.
 */
export async function checkLog(inputs: LogCheckInputs, owner: TailOwner): Promise<CheckedLog> {
  for (let attempt = 1; ; attempt++) {
    const check = new LogCheck(owner);
    await check.run(inputs);
    if (!check.isDoubtful || attempt === ATTEMPTS) return check;
  }
}

interface KnownMoment {
  system: string;
  at: LogPosition;
  /** RFC 3339. */
  time: string;
}

class LogCheck implements CheckedLog {
  objects = 0;
  bytes = 0;
  readonly findings: Finding[] = [];
  /** Whether something may only seem to be missing, because it was moved while it was looked for. */
  isDoubtful = false;
  readonly #owner: TailOwner;
  #stored!: StoredLog;
  readonly #damaged: { entry: TailEntry; error: HoldfastError }[] = [];
  readonly #moments: KnownMoment[] = [];
  #covered: (LogPosition & { system: string }) | undefined;

  constructor(owner: TailOwner) {
    this.#owner = owner;
  }

  async run({ repository, snapshots, events }: LogCheckInputs): Promise<void> {
    // First: what it says is stored was stored before it.
    await this.#readCovered(new LogTail(repository, this.#owner));
    this.#stored = await StoredLog.read(repository, this.#owner, snapshots);
    try {
      await this.#readEntries();
      await this.#readHistories();
      for (const { entry, error } of this.#damaged) this.#addDamage(entry, error);
      this.#addHoles(await events());
    } finally {
      await this.#stored.close();
    }
    for (const key of this.#stored.others) {
      this.findings.push({ severity: 'note', where: key, message: 'a tail has nothing of this name' });
    }
  }

  async #readCovered(tail: LogTail): Promise<void> {
    const covered = await this.#read(`${tail.prefix}covered`, () => tail.readCovered());
    if (covered === undefined) return;
    const { system, timeline, lsn, coveredUntil } = covered;
    this.objects++;
    this.#covered = { system, timeline, lsn: parseLsnText(lsn) };
    this.#moments.push({ system, at: this.#covered, time: coveredUntil });
  }

  async #readEntries(): Promise<void> {
    const { tail, entries, folded } = this.#stored;
    for (const { system, timeline, end, snapshot } of folded) {
      const time = new Date(snapshotTimeMs(snapshot)).toISOString();
      this.#moments.push({ system, at: { timeline, lsn: end }, time });
    }
    let before: { entry: TailEntry; bytes: Buffer } | undefined;
    for (const entry of entries) {
      try {
        const { header, bytes } = await tail.read(entry);
        this.objects++;
        this.bytes += entry.sizeBytes;
        const { coveredUntil: time } = header;
        if (time !== null) this.#moments.push({ system: entry.system, at: { ...entry, lsn: entry.end }, time });
        if (before !== undefined && !agree(before, { entry, bytes })) this.#addDisagreement(before.entry, entry);
        if (before === undefined || !isWithin(entry, before.entry)) before = { entry, bytes };
      } catch (error) {
        if (!isFinding(error)) throw error;
        this.isDoubtful ||= error.code === 'object-missing';
        this.#damaged.push({ entry, error });
      }
    }
  }

  /** A timeline that comes from another one is recovered to only with the file that says so. */
  async #readHistories(): Promise<void> {
    const { histories, tail } = this.#stored;
    for (const history of histories) {
      if ((await this.#read(history.key, () => tail.readHistory(history))) !== undefined) this.objects++;
    }
    for (const system of this.#systems()) {
      const timelines = new Set(this.#stored.ranges(system).map(({ timeline }) => timeline));
      const first = Math.min(...timelines);
      for (const timeline of timelines) {
        if (timeline === first || histories.some((each) => each.system === system && each.timeline === timeline))
          continue;
        const where = `the log of ${this.#owner.source}`;
        const history = await this.#read(where, () => this.#stored.readHistory(system, timeline), 'absent');
        if (history !== 'absent') continue;
        const message = `the history of timeline ${timeline} is missing: no recovery goes over to it from an earlier one`;
        this.findings.push({ severity: 'error', where, message });
      }
    }
  }

  #addDamage(entry: TailEntry, error: HoldfastError): void {
    const others = [...this.#stored.entries, ...this.#stored.folded].filter(
      (each) => each !== entry && each.system === entry.system && !this.#damaged.some((one) => one.entry === each),
    );
    const isElsewhere = isCovered(entry, others);
    const loss = isElsewhere ? 'which is in another object or snapshot as well' : LOST;
    this.#add(entry.key, entry, (part) => `${withoutKey(error, entry.key)}; it has ${part}, ${loss}`);
  }

  #addDisagreement(one: TailEntry, other: TailEntry): void {
    const part = { ...other, start: later(one.start, other.start), end: earlier(one.end, other.end) };
    this.#add(other.key, part, (text) => `it has ${text} otherwise than ${one.key} has it: one of the two is wrong`);
  }

  #addHoles(events: readonly LedgerEvent[]): void {
    if (this.#covered !== undefined && !this.#systems().has(this.#covered.system)) this.#addNothingLeft(events);
    for (const system of this.#systems()) {
      const { gaps, end } = this.#recorded(system, events);
      for (const hole of findHoles(this.#stored.ranges(system), gaps, end)) {
        this.isDoubtful = true;
        const where = `the log of ${this.#owner.source}`;
        this.#add(where, { ...hole, system }, (part) => `${part} is missing and no gap was recorded, ${LOST}`);
      }
    }
  }

  /** Where there was a log, something of it is left, unless no backup needed it any more. */
  #addNothingLeft(events: readonly LedgerEvent[]): void {
    const { source } = this.#owner;
    if (events.some(({ kind, body }) => kind === 'retention.decided' && body.source === source)) return;
    const { lsn } = this.#covered!;
    const message = `it was stored until ${lsnText(lsn)}, and nothing of it is there`;
    this.isDoubtful = true;
    this.findings.push({ severity: 'error', where: `the log of ${source}`, message });
  }

  /** What the ledger knows of gaps, and how far the log is known to have been stored. */
  #recorded(system: string, events: readonly LedgerEvent[]): { gaps: LogRange[]; end: LogPosition | undefined } {
    const gaps: LogRange[] = [];
    const ends: LogPosition[] = this.#covered?.system === system ? [this.#covered] : [];
    for (const { kind, body } of events) {
      if (kind === 'log.gap' && body.source === this.#owner.source && body.system === system) {
        gaps.push({ timeline: body.timeline, start: parseLsnText(body.start), end: parseLsnText(body.end) });
      } else if (kind === 'follow.stopped' && body.source === this.#owner.source && body.system === system) {
        ends.push({ timeline: body.timeline!, lsn: parseLsnText(body.lsn) });
      }
    }
    return { gaps, end: ends.sort(comparePositions).at(-1) };
  }

  #systems(): Set<string> {
    return new Set([...this.#stored.entries, ...this.#stored.folded].map(({ system }) => system));
  }

  #add(where: string, part: LogRange & { system: string }, messageOf: (part: string) => string): void {
    const { timeline, system } = part;
    const [start, end] = [lsnText(part.start), lsnText(part.end)];
    const moments = this.#moments.filter((each) => each.system === system);
    const after = newest(moments.filter(({ at }) => comparePositions(at, { timeline, lsn: part.start }) <= 0));
    const until = oldest(moments.filter(({ at }) => comparePositions(at, { timeline, lsn: part.end }) >= 0));
    const log: DamagedLog = {
      ...this.#owner,
      ...{ system, timeline, start, end },
      ...(after !== undefined && { after }),
      ...(until !== undefined && { until }),
    };
    const time = [after && `after ${after}`, until && `until ${until}`].filter(Boolean).join(' and ');
    const text = `the log of ${this.#owner.source} from ${start} to ${end} on timeline ${timeline}${time && ` (written ${time})`}`;
    this.findings.push({ severity: 'error', where, message: messageOf(text), log });
  }

  /** @returns what was read; undefined where that is a finding; `absent` where there is nothing */
  async #read<T, A = undefined>(
    where: string,
    read: () => Promise<T | undefined>,
    absent?: A,
  ): Promise<T | A | undefined> {
    try {
      return (await read()) ?? absent;
    } catch (error) {
      if (!isFinding(error)) throw error;
      this.isDoubtful ||= error.code === 'object-missing';
      this.findings.push({ severity: 'error', where, message: withoutKey(error, where) });
      return undefined;
    }
  }
}

const LOST = 'so that later moments can be restored only from a backup taken behind it';

function isFinding(error: unknown): error is HoldfastError {
  return (['repository-damaged', 'repository-unsupported', 'object-missing'] as const).some((code) =>
    isHoldfastError(error, code),
  );
}

function withoutKey({ message }: HoldfastError, key: string): string {
  return message.startsWith(key) ? `it${message.slice(key.length)}` : message;
}

/** Whether two parts of a log say the same of what both have. */
function agree(one: { entry: TailEntry; bytes: Buffer }, other: { entry: TailEntry; bytes: Buffer }): boolean {
  if (one.entry.system !== other.entry.system || one.entry.timeline !== other.entry.timeline) return true;
  const [start, end] = [later(one.entry.start, other.entry.start), earlier(one.entry.end, other.entry.end)];
  if (start >= end) return true;
  const [first, second] = [one, other].map(({ entry, bytes }) =>
    bytes.subarray(Number(start - entry.start), Number(end - entry.start)),
  );
  return first!.equals(second!);
}

function isWithin(inner: TailEntry, outer: TailEntry): boolean {
  return inner.system === outer.system && isCovered(inner, [outer]);
}

function comparePositions(a: LogPosition, b: LogPosition): number {
  const rangeAt = ({ timeline, lsn }: LogPosition): LogRange => ({ timeline, start: lsn, end: lsn });
  return compareRanges(rangeAt(a), rangeAt(b));
}

function newest(moments: readonly KnownMoment[]): string | undefined {
  return moments
    .map(({ time }) => time)
    .sort()
    .at(-1);
}

function oldest(moments: readonly KnownMoment[]): string | undefined {
  return moments.map(({ time }) => time).sort()[0];
}
