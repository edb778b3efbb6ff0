/** What a simulated plan meets: time that only the simulation moves, and real servers that alerts are sent to. */
import { appendFileSync, cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../src/daemon/log.ts';
import type { Clock } from '../../src/foundation/clock.ts';
import { type HttpReceiver, type MailServer, startHttpReceiver, startMailServer } from '../support/channel-servers.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** A year syncs a million files: in memory, where there is such a place, that takes no time. */
const IN_MEMORY = '/dev/shm';

const CACHE = 'cache';
const DAEMON_LOG = 'daemon.log';
const VARIABLES = 'variables.sh';

export class SimulatedClock implements Clock {
  #nowMs: number;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  moveTo(timeMs: number): void {
    if (timeMs < this.#nowMs) throw new Error('this clock does not go back');
    this.#nowMs = timeMs;
  }
}

/** A message that reached somebody. */
export interface Told {
  atMs: number;
  /** `pager`, or the address of a mail. */
  whom: string;
  /** What PagerDuty was told to do, or the subject of a mail. */
  what: string;
  /** All of it. */
  text: string;
}

export class World {
  readonly directory = mkdtempSync(join(existsSync(IN_MEMORY) ? IN_MEMORY : tmpdir(), 'simulated-'));
  readonly clock: SimulatedClock;
  readonly told: Told[] = [];
  readonly pager: HttpReceiver;
  /** What people use, and the plan watches. */
  readonly service: HttpReceiver;
  readonly #mail: MailServer;

  private constructor(clock: SimulatedClock, pager: HttpReceiver, service: HttpReceiver, mail: MailServer) {
    this.clock = clock;
    this.pager = pager;
    this.service = service;
    this.#mail = mail;
  }

  static async create(startMs: number): Promise<World> {
    const pager = await startHttpReceiver({ status: 202, body: '{"status":"success"}' });
    const service = await startHttpReceiver({ status: 200, body: 'well' });
    return new World(new SimulatedClock(startMs), pager, service, await startMailServer());
  }

  /** What references of the plan find. */
  get variables() {
    return {
      HOLDFAST_PASSWORD: 'a password of the simulation',
      HOLDFAST_ARCHIVE_PASSWORD: 'another password of the simulation',
      PAGERDUTY_KEY: 'R0123456789ABCDEF0123456789ABCDEF',
      SMTP_URL: `smtp://127.0.0.1:${this.#mail.port}`,
    };
  }

  /** The part of a plan that says who is told, as both playbooks have it. */
  get alerting(): string {
    return `contacts:
  oncall: { role: On-call engineer, phone: "+1-555-0100", channel: pager }
  lead: { role: DevOps lead, email: lead@omni.example, channel: lead-mail }
  cto: { role: CTO, email: cto@omni.example, channel: cto-mail }
alerts:
  channels:
    pager: { type: pagerduty, routingKey: { env: PAGERDUTY_KEY }, url: "${this.pager.url}/v2/enqueue" }
    lead-mail: { type: email, to: [lead@omni.example], smtp: { env: SMTP_URL } }
    cto-mail: { type: email, to: [cto@omni.example], smtp: { env: SMTP_URL } }
  escalation:
    - { after: 0m, notify: [oncall] }
    - { after: 0m, notify: [lead], severity: p1 }
    - { after: 30m, notify: [lead] }
    - { after: 60m, notify: [cto], untilResolved: true }
`;
  }

  /** Takes note of what came since the last time, which came now. */
  listen(): void {
    const atMs = this.clock.nowMs();
    for (const { body } of this.pager.requests.splice(0)) {
      const { event_action: what } = JSON.parse(body) as { event_action: string };
      if (this.pager.answer.status === 202) this.told.push({ atMs, whom: 'pager', what, text: body });
    }
    for (const { to, source } of this.#mail.mails.splice(0)) {
      const [, what = ''] = /^Subject: (.*)$/m.exec(source) ?? [];
      for (const whom of to) this.told.push({ atMs, whom, what, text: source });
    }
    this.service.requests.length = 0;
  }

  get cacheDirectory(): string {
    return join(this.directory, CACHE);
  }

  /** Of the daemon, in simulated time. */
  get log(): Log {
    const write = (level: keyof Log) => (message: string, fields?: object) =>
      appendFileSync(
        join(this.directory, DAEMON_LOG),
        `${JSON.stringify({ time: new Date(this.clock.nowMs()).toISOString(), level, message, ...fields })}\n`,
      );
    return { info: write('info'), warn: write('warn'), error: write('error') };
  }

  /**
   * Keeps what is there by now: the repositories with their ledgers, what is protected, the log of the daemon, and the plan by
   * which all of it can be read where it lies then.
   * @param to a directory that is not there yet
   */
  keep(to: string, { name, plan }: { name: string; plan: string }): void {
    mkdirSync(to, { recursive: true, mode: 0o700 });
    cpSync(this.directory, to, {
      recursive: true,
      filter: (path) => path !== this.cacheDirectory && lstatSync(path).isSocket() === false,
    });
    writeFileSync(join(to, `${name}.yaml`), plan.replaceAll(this.directory, to));
    const variables = Object.entries(this.variables).map(([key, value]) => `export ${key}=${JSON.stringify(value)}\n`);
    writeFileSync(join(to, VARIABLES), variables.join(''), { mode: 0o600 });
  }

  async close(): Promise<void> {
    await Promise.all([this.pager.close(), this.service.close(), this.#mail.close()]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
