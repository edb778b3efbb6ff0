/**
 * What a daemon costs that has nothing to do: with 50 sources its memory and processor time over some seconds, and with
 * 10,000 schedules what finding out what is due takes; and how long after the end of a run that failed the server of a channel
 * has the alert. `--sources N --schedules N --seconds N --alerts N`.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Daemon } from '../src/daemon/daemon.ts';
import { Driver } from '../src/daemon/drive.ts';
import { memoryDuties } from '../src/daemon/duties/memory.ts';
import { DUTIES } from '../src/daemon/duties.ts';
import { Scheduler } from '../src/daemon/scheduler.ts';
import { systemClock } from '../src/foundation/clock.ts';
import { noProgress } from '../src/foundation/progress.ts';
import { adapters } from '../src/main/adapters.ts';
import { initRepositories, KnownRuns, type Task, Workspace } from '../src/operations/index.ts';
import { loadPlan } from '../src/plan/index.ts';
import { parseSchedule } from '../src/schedule/index.ts';

const { values } = parseArgs({
  options: {
    sources: { type: 'string', default: '50' },
    schedules: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '60' },
    alerts: { type: 'string', default: '5' },
  },
});

/** Milliseconds of each step with so many tasks of several schedules in a time zone with summer time. */
function schedules(count: number): object {
  const nowMs = Date.parse('2026-03-02T10:30:00Z');
  const tasks = Array.from({ length: count }, (_, index): Task => {
    const parsed = parseSchedule(`${index % 60} ${index % 24} * * *`);
    if ('problem' in parsed) throw new Error(parsed.problem);
    const id = `verify:${index}`;
    return { id, kind: 'verify', subject: `${index}`, schedule: parsed.schedule, sources: [], priority: 2 };
  });
  const planned = tasks.map(({ id, schedule }) => ({ task: id, schedule: schedule.text }));
  const time = new Date(nowMs).toISOString();
  const runs = new KnownRuns();
  runs.add({ kind: 'tasks.changed', body: { timezone: 'Europe/Berlin', planned, removed: [] }, time });
  const scheduler = new Scheduler(runs, nowMs);
  const measured = (work: () => void): number => {
    const startedMs = performance.now();
    work();
    return Math.round((performance.now() - startedMs) * 100) / 100;
  };
  const isBusy = () => false;
  scheduler.take(tasks, 'Europe/Berlin');
  const first = measured(() => scheduler.due(nowMs, isBusy));
  const idle = measured(() => scheduler.due(nowMs + 1000, isBusy));
  const minute = measured(() => scheduler.due(scheduler.nextMs(nowMs, isBusy), isBusy));
  return { schedules: count, firstLookMs: first, idleLookMs: idle, lookAtADueMinuteMs: minute };
}

/** A daemon of files that were backed up once, each a source, with the clock of the system. */
async function daemonOf(sources: number, more = '') {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-daemon-'));
  const lines = Array.from({ length: sources }, (_, index) => {
    writeFileSync(join(directory, `file${index}`), `${index}`);
    return `  s${index}: { type: files, paths: [${directory}/file${index}], schedule: daily at 0${index % 10}:00, retention: { last: 9 } }`;
  });
  const plan = `version: 1\nname: bench\nrepositories:\n  main: { store: ./repository, password: { env: P } }\nsources:\n${lines.join('\n')}\n${more}`;
  writeFileSync(join(directory, 'holdfast.yaml'), plan);
  const loaded = await loadPlan({ cwd: directory, env: {} });
  const { signal } = new AbortController();
  const variables = { P: 'a password for a bench' };
  const environment = { clock: systemClock, variables, version: '0', signal, progress: () => noProgress, adapters };
  const log = { info: () => {}, warn: console.error, error: console.error };
  await initRepositories(new Workspace(loaded, environment));
  const driver = new Driver(systemClock, (ms) => setTimeout(ms, undefined, { ref: false }));
  const ending = new AbortController();
  const duties = [...DUTIES, memoryDuties];
  const daemon = await Daemon.open({ environment, loaded, log, isLoaded: () => false, woken: driver.wake, duties });
  await daemon.start();
  const driven = driver.run(daemon, ending.signal);
  // What was never backed up is backed up at once.
  const isDone = () => daemon.tasks.every(({ id, kind }) => kind !== 'backup' || daemon.record.runs.of(id).last);
  while (!isDone()) await setTimeout(200);
  const end = async (): Promise<void> => {
    ending.abort();
    await driven;
    await daemon.stop('measured');
    rmSync(directory, { recursive: true });
  };
  return { daemon, directory, wake: driver.wake, end };
}

/** Of a daemon that has backed up everything once: memory, and the share of one processor that it takes. */
async function idle(sources: number, seconds: number): Promise<object> {
  const { end } = await daemonOf(sources);
  await setTimeout(12_000);
  const before = process.cpuUsage();
  await setTimeout(seconds * 1000);
  const { user, system } = process.cpuUsage(before);
  const mebibytes = Math.round(process.memoryUsage.rss() / 1024 ** 2);
  await end();
  return { sources, seconds, residentMiB: mebibytes, processorPercent: (user + system) / 1e4 / seconds };
}

/** Milliseconds from the end of a run that failed until the server of a webhook has the alert, of so many runs. */
async function alerting(count: number): Promise<object> {
  const told: { atMs: number; text: string }[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (data) => {
      text += data;
    });
    request.on('end', () => {
      told.push({ atMs: Date.now(), text });
      response.end();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const alerts = `contacts: { oncall: { role: On-call, channel: pager } }
alerts: { channels: { pager: { type: webhook, url: "http://127.0.0.1:${port}" } }, escalation: [{ after: 0m, notify: [oncall] }] }\n`;
  const { daemon, directory, wake, end } = await daemonOf(count, alerts);
  const delaysMs: number[] = [];
  for (let index = 0; index < count; index++) {
    rmSync(join(directory, `file${index}`));
    await daemon.ask('backup', `s${index}`);
    wake();
    const alertOf = () => told.find(({ text }) => text.includes('raised') && text.includes(`"s${index}"`));
    while (alertOf() === undefined) await setTimeout(5);
    delaysMs.push(alertOf()!.atMs - daemon.record.runs.of(`backup:s${index}`).last!.endedMs);
  }
  await end();
  server.close();
  return { alerts: count, runEndToChannelMs: delaysMs };
}

console.log(JSON.stringify(await alerting(Number(values.alerts))));
console.log(JSON.stringify(schedules(Number(values.schedules))));
console.log(JSON.stringify(await idle(Number(values.sources), Number(values.seconds))));
