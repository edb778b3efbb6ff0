import { ChainCheck, type Head, type LedgerFault } from './chain-check.ts';
import { type Checkpoint, digestOfHeads } from './checkpoint.ts';
import type { LedgerEvent } from './events.ts';
import { parseLedgerKey, type ReadEvent } from './objects.ts';
import { inOrder } from './order.ts';
import { readEach } from './read-objects.ts';
import type { LedgerStorage, StoredLedgerObject } from './storage.ts';

export interface VerifiedLedger {
  events: number;
  writers: number;
  objects: number;
  /** RFC 3339; of the oldest and of the newest event, where there are any. */
  from?: string;
  to?: string;
  faults: LedgerFault[];
  /** What a process that was stopped left, and nobody tampered with. */
  left: string[];
  /** Events that nothing else vouches for: were the newest of them cut, only a checkpoint could tell. */
  unbound: number;
  /**
   * Of those, events with a time before that of the checkpoint: they waited on a machine then, or its clock was slow; or
   * somebody wrote them later and gave them that time.
   */
  unboundBefore: number;
  /** By the checkpoint that was given, where nothing is wrong with what it binds. */
  untamperedUpTo?: string;
  /** The newest events that no other names, as a checkpoint holds them. */
  heads: Head[];
  /** Of the newest events of all writers. */
  digest: string;
}

/**
 * Reads every object of the ledger, and says all that is wrong.
 * @param checkpoint whose signature was found right
 * @throws repository-unsupported when a later program wrote a part of it; the store's errors
 */
export async function verifyLedger(storage: LedgerStorage, checkpoint?: Checkpoint): Promise<VerifiedLedger> {
  return lookTwice(storage, checkpoint, () => undefined);
}

/** The same, with the events that are there, oldest first: whatever is wrong, and with those that it is wrong with. */
export async function verifyAndRead(
  storage: LedgerStorage,
  checkpoint?: Checkpoint,
): Promise<{ verified: VerifiedLedger; events: LedgerEvent[] }> {
  let read: ReadEvent[] = [];
  const verified = await lookTwice(storage, checkpoint, () => {
    read = [];
    return (event) => void read.push(event);
  });
  return { verified, events: inOrder(read) };
}

/** @param begin called before each look, for what is to be told of its events */
async function lookTwice(
  storage: LedgerStorage,
  checkpoint: Checkpoint | undefined,
  begin: () => Pass['take'],
): Promise<VerifiedLedger> {
  const first = await lookOnce(storage, checkpoint, begin());
  // A listing is not one moment: what was added or taken together meanwhile is whole in the next one.
  return first.faults.length === 0 ? first : lookOnce(storage, checkpoint, begin());
}

async function lookOnce(
  storage: LedgerStorage,
  checkpoint: Checkpoint | undefined,
  take: Pass['take'],
): Promise<VerifiedLedger> {
  const listed: StoredLedgerObject[] = [];
  const strangers: string[] = [];
  for await (const entry of storage.list()) {
    if (parseLedgerKey(entry.key) === undefined) strangers.push(entry.key);
    else listed.push(entry);
  }
  const check = new ChainCheck();
  const pass: Pass = {
    check,
    faults: [],
    twice: 0,
    span: {},
    checkpointMs: Date.parse(checkpoint?.time ?? ''),
    before: new Map(),
    take,
  };
  const whole = listed.filter(({ sizeBytes }) => sizeBytes > 0);
  await readAll(storage, whole, pass);
  const faults = [...pass.faults, ...check.faults()];
  const left = strangers.map((key) => `${key} is no part of the ledger`);
  for (const { key } of listed.filter(({ sizeBytes }) => sizeBytes === 0)) {
    if (isTorn(key, check, faults)) left.push(`${key} is empty, as a power failure leaves what was being written`);
    else faults.push({ what: 'damaged', object: key, ...placeOf(key), message: `the ledger's event ${key} is empty` });
  }
  if (pass.twice > 0)
    left.push(`${pass.twice} objects hold what an object of a day holds as well: folding was stopped`);
  const bound = checkpoint && boundBy(pass, checkpoint);
  if (bound !== undefined) faults.push(...bound.faults);
  const heads = check.tips();
  return {
    events: check.count,
    writers: check.heads().length,
    objects: listed.length,
    ...pass.span,
    faults,
    left,
    unbound: bound?.unbound ?? check.count,
    unboundBefore: bound?.unboundBefore ?? 0,
    ...(checkpoint && faults.length === 0 && { untamperedUpTo: checkpoint.time }),
    heads,
    digest: digestOfHeads(check.heads()),
  };
}

interface Pass {
  check: ChainCheck;
  faults: LedgerFault[];
  /** Objects of chains whose events lie elsewhere, too. */
  twice: number;
  span: { from?: string; to?: string };
  /** Not a number without one. */
  checkpointMs: number;
  /** By writer, the events with a time before that of the checkpoint, by their sequences. */
  before: Map<string, number[]>;
  /** Is told of each event, in no order. */
  take: ((read: ReadEvent) => void) | undefined;
}

async function readAll(storage: LedgerStorage, listed: readonly StoredLedgerObject[], pass: Pass): Promise<void> {
  const { check, faults, span } = pass;
  const isDay = ({ key }: StoredLedgerObject): boolean => parseLedgerKey(key)?.form === 'day';
  // Days first: then it is known of the others what lies elsewhere as well.
  for (const own of [listed.filter(isDay), listed.filter((entry) => !isDay(entry))]) {
    const take = (key: string, events: ReadEvent[]): void => {
      const fresh = events.filter((read) => check.add(read));
      for (const read of fresh) {
        noteBefore(pass, read.event);
        pass.take?.(read);
      }
      if (fresh.length === 0 && parseLedgerKey(key)?.form === 'chain') pass.twice++;
      for (const { event } of events) {
        if (span.from === undefined || event.time < span.from) span.from = event.time;
        if (span.to === undefined || event.time > span.to) span.to = event.time;
      }
    };
    const gone = await readEach(
      storage,
      own.map(({ key }) => key),
      take,
      (object, { message }) => {
        const what = message.includes('moved from another place') ? 'moved' : 'damaged';
        faults.push({ what, object, ...placeOf(object), message });
      },
    );
    for (const { key } of gone) {
      const { writer, sequence } = placeOf(key);
      if (writer !== undefined && check.has(writer, sequence!)) continue;
      const message = `the ledger's event ${key} is listed and is not there`;
      faults.push({ what: 'missing', object: key, ...placeOf(key), message });
    }
  }
}

function noteBefore({ checkpointMs, before }: Pass, { writer, sequence, time }: ReadEvent['event']): void {
  if (!(Date.parse(time) < checkpointMs)) return;
  const sequences = before.get(writer) ?? [];
  before.set(writer, sequences);
  sequences.push(sequence);
}

function placeOf(key: string): { writer?: string; sequence?: number } {
  const place = parseLedgerKey(key);
  return place?.form === 'chain' ? { writer: place.writer, sequence: place.sequence } : {};
}

/** Whether an empty object is the end of its chain, and nothing builds on it. */
function isTorn(key: string, check: ChainCheck, faults: readonly LedgerFault[]): boolean {
  const { writer, sequence } = placeOf(key);
  if (writer === undefined || check.has(writer, sequence! + 1)) return false;
  return !faults.some((fault) => fault.writer === writer && (fault.sequence ?? sequence!) >= sequence!);
}

/** Holds what there is against a checkpoint. */
function boundBy(
  { check, before }: Pass,
  { heads, events, digest, time }: Checkpoint,
): { faults: LedgerFault[]; unbound: number; unboundBefore: number } {
  const faults: LedgerFault[] = [];
  for (const [writer, { sequence, hash }] of Object.entries(heads)) {
    const found = check.hashOf(writer, sequence);
    if (found === hash) continue;
    const how = found === undefined ? 'is missing' : 'is another one';
    const message = `event ${sequence} of writer ${writer} ${how}: the checkpoint of ${time} names it`;
    faults.push({ what: found === undefined ? 'cut' : 'edited', writer, sequence, message });
  }
  const covered = check.coveredBy(Object.entries(heads).map(([writer, head]) => ({ writer, ...head })));
  const count = covered.reduce((sum, { sequence }) => sum + sequence + 1, 0);
  if (faults.length === 0 && (count !== events || digestOfHeads(covered) !== digest)) {
    const message = `the checkpoint of ${time} is of ${events} events, and ${count} of them are there`;
    faults.push({ what: 'cut', message });
  }
  const lastBound = new Map(covered.map(({ writer, sequence }) => [writer, sequence]));
  const unboundBefore = [...before].reduce(
    (sum, [writer, all]) => sum + all.filter((sequence) => sequence > (lastBound.get(writer) ?? -1)).length,
    0,
  );
  return { faults, unbound: check.count - count, unboundBefore };
}
