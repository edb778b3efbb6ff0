/**
 * How long a large ledger takes: to be asked with what this machine keeps of it, to be kept for the first time, to be
 * verified, and what is appended and put together. `npm run bench:ledger -- --events 1000000 --years 10`;
 * `--only verify` for that alone.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seal, unseal } from '../src/format/index.ts';
import { newSealingKey } from '../src/format/key-file.ts';
import { systemClock } from '../src/foundation/clock.ts';
import { ChainWriter, type NewEvent } from '../src/ledger/chain-writer.ts';
import { Ledger, type LedgerStorage } from '../src/ledger/index.ts';
import { encodeDay } from '../src/ledger/objects.ts';
import { digestSummary } from '../src/operations/alerts/facts/digest.ts';
import { STATUS_KINDS } from '../src/operations/status/status-kinds.ts';
import { taskSummary } from '../src/operations/tasks/task-history.ts';
import { createLocalStore } from '../src/store/local/index.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    years: { type: 'string', default: '10' },
    only: { type: 'string' },
  },
});
const [wanted, days] = [Number(values.events), Number(values.years) * 365];

const directory = mkdtempSync(join(tmpdir(), 'bench-ledger-'));
try {
  await measure(join(directory, 'objects'), join(directory, 'cache', 'ledger.sqlite'));
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function measure(path: string, file: string): Promise<void> {
  const storage = storageAt(path);
  await timed(`writing ${wanted} events of ${days} days`, () => fill(storage));
  const ledger = () => new Ledger(storage, systemClock, { projectionFile: file });
  if (values.only === 'verify') return verify(ledger());
  // What a daemon reads of the ledger as it starts: its tasks, and what the first look of the alerts takes.
  const start = async () => {
    const read = ledger();
    await read.view(taskSummary).read();
    await read.view(digestSummary).read();
    return read;
  };
  await timed('first start, all is read', start);
  const [followed] = await timed('start, with what is kept', start);
  for (const event of eventsOf(10)) await ledger().append(event.kind, event.body as never);
  await timed('a look of the alerts after 10 events', () => followed.view(digestSummary).read());
  await timed('a look of the alerts after none', () => followed.view(digestSummary).read());
  await timed('start after 10 events, with what is kept', start);
  const query = { kinds: ['backup.failed'], limit: 50 };
  await timed('first question, all is read', () => ledger().events(query));
  console.log(`  kept: ${(statSync(file).size / 1e6).toFixed(0)} MB`);
  await timed('question with what is kept', () => ledger().events(query));
  await timed('last day, with what is kept', () => ledger().events({ sinceMs: systemClock.nowMs() - 2 * DAY_MS }));
  const [events] = await timed('status, with what is kept', () => ledger().events({ kinds: STATUS_KINDS }));
  console.log(`  of ${events.length} events`);
  await verify(ledger());
  const writer = ledger();
  await timed('100 events appended, one after the other', async () => {
    for (const event of eventsOf(100)) await writer.append(event.kind, event.body as never);
  });
  console.log(`peak memory: ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`);
}

async function verify(ledger: Ledger): Promise<void> {
  const [verified, tookMs] = await timed('verify', () => ledger.verify());
  const { events: read, faults } = verified;
  if (faults.length > 0 || read < wanted) throw new Error(`${read} events, ${faults.length} faults`);
  console.log(`  ${Math.round(read / (tookMs / 1000))} events/s`);
}

function storageAt(path: string): LedgerStorage {
  const key = newSealingKey();
  const store = createLocalStore(path);
  return {
    seal: (plain) => seal(key, plain),
    unseal: (sealed) => unseal(key, sealed),
    putNew: (name, sealed) => store.put(name, sealed, { ifAbsent: true }),
    get: (name) => store.get(name),
    list: () => store.list(''),
    delete: (name) => store.delete(name),
  };
}

/** As if days had been put together as they ended: four processes a day, and one that runs for a year. */
async function fill(storage: LedgerStorage): Promise<void> {
  const startMs = systemClock.nowMs() - days * DAY_MS;
  let nowMs = startMs;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  let daemon = new ChainWriter(clock);
  for (let day = 0; day < days; day++) {
    nowMs = startMs + day * DAY_MS;
    if (day % 365 === 0) daemon = new ChainWriter(clock);
    const count = Math.floor((wanted * (day + 1)) / days) - Math.floor((wanted * day) / days);
    const plains = [0, 1, 2, 3].flatMap(() => new ChainWriter(clock).add(eventsOf(1), daemon.head).plains);
    plains.push(...daemon.add(eventsOf(Math.max(0, count - 4)), {}).plains);
    const { key, content } = encodeDay(new Date(nowMs).toISOString().slice(0, 10), plains);
    await storage.putNew(key, storage.seal(content));
  }
}

function eventsOf(count: number): NewEvent[] {
  return Array.from({ length: count }, (_, index): NewEvent => {
    if (index % 10 > 0)
      return { kind: 'run.started', body: { run: `${index}`, task: `backup:source${index % 50}`, attempt: 1 } };
    const body = {
      source: `source${index % 50}`,
      code: 'internal',
      message: 'it could not be read',
      durationMs: index,
    };
    return { kind: 'backup.failed', body };
  });
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<[T, number]> {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  const result = await work();
  const tookMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(before);
  console.log(`${what}: ${(tookMs / 1000).toFixed(2)} s, ${((user + system) / 1e6).toFixed(2)} s of processors`);
  return [result, tookMs];
}
