/** The second playbook: a platform with a database, sessions, files, configuration, code and secrets, backed up every hour. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { check, verify } from '../../src/operations/index.ts';
import { RedisServer } from '../support/redis-server.ts';
import { flipBytes } from './damage.ts';
import { review } from './people.ts';
import { runbookOf } from './runbook.ts';
import type { Failure, Scenario } from './scenario.ts';
import { upkeepOf } from './upkeep.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, type World } from './world.ts';

/**
 * The database is a SQLite file: of a server that keeps its own time, a year of hourly backups takes longer than anybody
 * waits, and what is simulated is the plan.
 */
export async function omniEnterprise(world: World, startMs: number): Promise<Scenario> {
  const place = (name: string): string => join(world.directory, 'omni', name);
  for (const name of ['uploads', 'logs', 'config']) mkdirSync(place(name), { recursive: true });
  writeFileSync(place('key'), SECRET, { mode: 0o600 });
  const database = new Database(place('omni.db'));
  database.run(
    'create table customers (id integer primary key, name text); create table orders (id integer primary key, at text)',
  );
  const redis = await RedisServer.start([], undefined, { isApart: true });
  const repository = place('repository');
  const plan = planOf(world, place, redis.url);
  const live = livingOf(place, database, redis);
  const noon = (number: number): number => startMs + number * DAY_MS + 12 * HOUR_MS;
  return {
    ...{ name: 'omni-enterprise', timezone: TIMEZONE, plan, live },
    repositories: {
      primary: { directory: repository, password: world.variables.HOLDFAST_PASSWORD },
      vault: { directory: place('vault'), password: world.variables.HOLDFAST_ARCHIVE_PASSWORD },
    },
    failures: failuresOf({ world, place, database, repository, noon }),
    kept: [
      { repository: 'primary', source: 'omni-db', retention: { withinDays: 30 } },
      { repository: 'primary', source: 'sessions', retention: { withinDays: 30 } },
      { repository: 'primary', source: 'uploads', retention: { withinDays: 30 } },
      { repository: 'primary', source: 'logs', retention: { withinDays: 90 } },
      { repository: 'vault', source: 'config', retention: { daily: 30 } },
      { repository: 'vault', source: 'keys', retention: { daily: 30 } },
    ],
    tasks: {
      'backup:omni-db': {},
      'backup:sessions': {},
      'backup:uploads': {},
      'backup:logs': { at: '00:00' },
      'backup:config': { at: '02:30' },
      'backup:keys': { at: '00:00' },
      'verify:daily': { at: '05:00' },
      'verify:weekly': { at: '06:00', weekday: 1 },
      'verify:monthly': { at: '00:00', dayOfMonth: 1 },
      'report:verification': { at: '08:00', weekday: 1 },
      'drill:database-corruption-1': { at: '00:00', dayOfMonth: 1 },
      'drill:lost-uploads-2': { at: '00:00', dayOfMonth: 1, months: [0, 3, 6, 9] },
      'drill:database-corruption-3': { at: '00:00', dayOfMonth: 1, months: [0, 6] },
      'drill:lost-uploads-3': { at: '00:00', dayOfMonth: 1, months: [0, 6] },
      ...upkeepOf('primary', 'vault'),
    },
    reviews: {
      strategy: { at: '00:00', dayOfMonth: 1 },
      plan: { at: '00:00', dayOfMonth: 1, months: [0, 3, 6, 9] },
      audit: { at: '00:00', dayOfMonth: 1, months: [0] },
    },
    wrongIn: wrongIn(place, startMs),
    async close() {
      database.close();
      await redis.stop();
    },
  };
}

type Place = (name: string) => string;

const SECRET = 'a secret of the simulation';

/** Clocks change in it twice a year: `config` is backed up at a time that one day does not have, and one has twice. */
const TIMEZONE = 'Europe/Berlin';

/** Whoever works with it goes on wherever it is. */
class Database {
  #path: string;
  #open: DatabaseSync;

  constructor(path: string) {
    this.#path = path;
    this.#open = new DatabaseSync(path);
  }

  run(statements: string): void {
    this.#open.exec(statements);
  }

  moveTo(path: string): void {
    this.#open.close();
    renameSync(this.#path, path);
    this.#path = path;
    this.#open = new DatabaseSync(path);
  }

  close(): void {
    this.#open.close();
  }
}

function planOf(world: World, place: Place, redisUrl: string): string {
  return `version: 1
name: omni
timezone: ${TIMEZONE}
objectives: { rpo: 2h, rto: 4h, proof: 35d }
repositories:
  primary: { store: ${place('repository')}, password: { env: HOLDFAST_PASSWORD } }
  vault:
    store: ${place('vault')}
    password: { env: HOLDFAST_ARCHIVE_PASSWORD }
    capacity: { warnAt: 80%, of: 10GB }
sources:
  omni-db:
    type: sqlite
    repository: primary
    path: ${place('omni.db')}
    schedule: hourly
    retention: { within: 30d }
    validate: [{ name: there are customers, sql: "select count(*) > 0 from customers" }]
  sessions: { type: redis, url: ${redisUrl}, schedule: hourly, retention: { within: 30d }, repository: primary }
  uploads: { type: files, paths: [${place('uploads')}], schedule: hourly, retention: { within: 30d }, repository: primary }
  logs: { type: files, paths: [${place('logs')}], schedule: daily, retention: { within: 90d }, objectives: { rpo: 26h }, repository: primary }
  config: { type: files, paths: [${place('config')}], schedule: daily at 02:30, retention: { daily: 30 }, objectives: { rpo: 26h }, repository: vault }
  keys: { type: secrets, from: { files: [${place('key')}] }, schedule: daily, retention: { daily: 30 }, objectives: { rpo: 26h }, repository: vault }
verification:
  - { name: daily, sources: "*", pick: latest, level: checked, schedule: daily at 05:00 }
  - { name: weekly, sources: [omni-db, uploads], pick: random, from: 7d, level: proven, schedule: weekly on monday at 06:00 }
  - { name: monthly, sources: "*", pick: latest, level: proven, schedule: monthly }
services:
  api: { http: "${world.service.url}/health", every: 30s }
runbooks:
  database-corruption: ${runbookOf('omni-db')}
  lost-uploads: ${runbookOf('uploads')}
drills:
  - { runbooks: [database-corruption], schedule: monthly }
  - { runbooks: [lost-uploads], schedule: quarterly }
  - { runbooks: "*", schedule: half-yearly }
reviews: { strategy: monthly, plan: quarterly, audit: yearly }
reports: [{ kind: verification, schedule: weekly on monday at 08:00, to: [lead-mail] }]
${world.alerting}`;
}

/** What people and programs do to it, hour by hour. */
function livingOf(place: Place, database: Database, redis: RedisServer): Scenario['live'] {
  let hours = 0;
  return async (nowMs: number): Promise<void> => {
    if (new Date(nowMs).getUTCMinutes() !== 30 && hours > 0) return;
    hours++;
    if (hours === 1) {
      for (let id = 1; id <= 50; id++) database.run(`insert into customers values (${id}, 'customer ${id}')`);
    }
    database.run(`insert into orders (at) values ('${new Date(nowMs).toISOString()}')`);
    await redis.call('SET', `session:${hours % 100}`, String(nowMs));
    writeFileSync(join(place('uploads'), `upload-${hours % 200}`), `uploaded in hour ${hours}`);
    writeFileSync(join(place('logs'), 'omni.log'), `hour ${hours}\n`, { flag: 'a' });
    writeFileSync(join(place('config'), 'omni.conf'), `generation = ${Math.floor(hours / 24)}\n`);
  };
}

/** Each source is as it was in the hour that the snapshot is of. */
function wrongIn(place: Place, startMs: number): Scenario['wrongIn'] {
  const found: Record<string, (restored: string, hours: number) => unknown[]> = {
    'omni-db': (restored, hours) => {
      const database = new DatabaseSync(join(restored, 'data', 'omni.db'), { readOnly: true });
      const { orders } = database.prepare('select count(*) as orders from orders').get() as { orders: number };
      database.close();
      return [orders, hours];
    },
    sessions: (restored) => [readFileSync(join(restored, 'data', 'dump.rdb')).toString('latin1', 0, 5), 'REDIS'],
    uploads: (restored, hours) => {
      const text = readFileSync(join(restored, place('uploads'), `upload-${hours % 200}`), 'utf8');
      return [text, `uploaded in hour ${hours}`];
    },
    logs: (restored, hours) => {
      const lines = readFileSync(join(restored, place('logs'), 'omni.log'), 'utf8')
        .trim()
        .split('\n');
      return [lines.at(-1), `hour ${hours}`];
    },
    config: (restored, hours) => {
      const text = readFileSync(join(restored, place('config'), 'omni.conf'), 'utf8');
      return [text, `generation = ${Math.floor(hours / 24)}\n`];
    },
    keys: (restored) => {
      const files = readdirSync(restored, { recursive: true, withFileTypes: true });
      const texts = files
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'));
      return [texts.includes(SECRET), true];
    },
  };
  return (source, restored, timeMs) => {
    const hours = 1 + Math.floor((timeMs - startMs + HOUR_MS / 2) / HOUR_MS);
    const [is, was] = found[source]!(restored, hours);
    return is === was ? undefined : `it has ${is}, and had ${was}`;
  };
}

interface Failing {
  world: World;
  place: Place;
  database: Database;
  repository: string;
  noon(day: number): number;
}

/** What fails more than once, by the day. */
function kindsOf({ world, place, database, repository, noon }: Failing) {
  const moved = (day: number, hours: number): Failure => ({
    name: `the database is not where it was on day ${day}`,
    ...{ fromMs: noon(day) - HOUR_MS / 2, untilMs: noon(day) + (hours - 0.5) * HOUR_MS },
    begin: () => database.moveTo(place('omni.away')),
    end: () => database.moveTo(place('omni.db')),
    alert: { rule: 'backup-failed', subject: 'omni-db', severity: 'p2' },
    also: ['rpo-breach omni-db'],
    stops: ['backup:omni-db'],
  });
  const away = (day: number): Failure => ({
    name: `the repository is away on day ${day}`,
    ...{ fromMs: noon(day) - HOUR_MS / 2, untilMs: noon(day) + HOUR_MS / 2 },
    begin: () => renameSync(repository, `${repository}-away`),
    end: () => {
      rmSync(repository, { recursive: true, force: true });
      renameSync(`${repository}-away`, repository);
    },
    alert: { rule: 'repository-unreachable', subject: 'primary', severity: 'p2' },
    also: ['backup-failed', 'rpo-breach', 'upkeep-failed'],
    stops: ['*'],
  });
  const down = (day: number): Failure => ({
    name: `the service is down on day ${day}`,
    ...{ fromMs: noon(day) - HOUR_MS / 2, untilMs: noon(day) + HOUR_MS },
    begin: () => {
      world.service.answer = { status: 503 };
    },
    end: () => {
      world.service.answer = { status: 200 };
    },
    alert: { rule: 'availability', subject: 'api', severity: 'p1' },
    closelyMs: 5 * MINUTE_MS,
  });
  let putRight = (): void => {};
  const damaged = (day: number): Failure => ({
    name: `a bit of each pack is flipped on day ${day}`,
    // The verification of the day comes at 05:00 on the clocks of the plan.
    ...{ fromMs: noon(day) - 9.5 * HOUR_MS, untilMs: noon(day) - 5 * HOUR_MS },
    begin: () => {
      putRight = flipBytes(repository);
    },
    async end(workspace) {
      putRight();
      await check(workspace, { repositories: ['primary'], readData: true, readHeaders: false });
      // On a Monday a proof failed as well, which only another one puts right.
      const { proofs } = await verify(workspace, { sources: ['omni-db', 'uploads'] });
      if (!proofs.every(({ state }) => state === 'proven')) throw new Error('what was put right is not proven');
    },
    // Of the database nothing is older than its last backup, which came after that.
    alert: { rule: 'verification-failed', subject: 'uploads', severity: 'p1' },
    also: ['verification-failed', 'repository-unreachable', 'backup-failed'],
    stops: ['*'],
  });
  return { moved, away, down, damaged };
}

function failuresOf(failing: Failing): Failure[] {
  const { place, database, noon } = failing;
  const { moved, away, down, damaged } = kindsOf(failing);
  return [
    { ...moved(3, 2.5), acknowledgedAfterMs: 10 * MINUTE_MS },
    away(5),
    {
      name: 'most customers are gone',
      ...{ fromMs: noon(8) - HOUR_MS / 2, untilMs: noon(8) + 4 * HOUR_MS },
      begin: () => database.run('create table kept as select * from customers; delete from customers where id > 10'),
      end: () => database.run('insert into customers select * from kept where id > 10; drop table kept'),
      alert: { rule: 'size-drop', subject: 'omni-db', severity: 'p1' },
    },
    down(10),
    damaged(13),
    {
      name: 'the place of the vault is nearly taken',
      ...{ fromMs: noon(16), untilMs: noon(16) + 5 * HOUR_MS },
      begin: () => fill(place('vault')),
      end: () => rmSync(join(place('vault'), FILLING)),
      alert: { rule: 'capacity', subject: 'vault', severity: 'p2' },
    },
    {
      name: 'the review of the plan is forgotten in April',
      ...{ fromMs: Date.UTC(2025, 2, 31, 22), untilMs: Date.UTC(2025, 3, 3, 12) },
      begin() {},
      end: (workspace) => review(workspace, 'plan'),
      alert: { rule: 'review-overdue', subject: 'plan', severity: 'p3' },
    },
    moved(60, 24),
    away(150),
    { ...down(201), acknowledgedAfterMs: 10 * MINUTE_MS },
    damaged(250),
    moved(340, 2.5),
  ];
}

/** What somebody else put where the vault lies: as large as most of its place, and without any bytes. */
const FILLING = 'somebody-elses';

function fill(repository: string): void {
  writeFileSync(join(repository, FILLING), '');
  truncateSync(join(repository, FILLING), 9e9);
}
