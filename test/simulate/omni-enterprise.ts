/** The second playbook: a platform with a database, sessions, files, configuration, code and secrets, backed up every hour. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { RedisServer } from '../support/redis-server.ts';
import type { Failure, Scenario } from './scenario.ts';
import { DAY_MS, HOUR_MS, type World } from './world.ts';

/**
 * The database is a SQLite file: of a server that keeps its own time, a year of hourly backups takes longer than anybody
 * waits, and what is simulated is the plan.
 */
export async function omniEnterprise(world: World, startMs: number): Promise<Scenario> {
  const place = (name: string): string => join(world.directory, 'omni', name);
  for (const name of ['uploads', 'logs', 'config']) mkdirSync(place(name), { recursive: true });
  writeFileSync(place('key'), 'a secret of the simulation', { mode: 0o600 });
  const database = new Database(place('omni.db'));
  database.run(
    'create table customers (id integer primary key, name text); create table orders (id integer primary key, at text)',
  );
  const redis = await RedisServer.start();
  const repository = place('repository');
  const plan = planOf(world, place, redis.url);
  const live = livingOf(place, database, redis);
  const noon = (number: number): number => Math.ceil(startMs / DAY_MS) * DAY_MS + number * DAY_MS + 12 * HOUR_MS;
  return {
    ...{ name: 'omni-enterprise', plan, live, failures: failuresOf({ place, database, repository, noon }) },
    retentions: {
      'omni-db': { withinDays: 30 },
      sessions: { withinDays: 30 },
      uploads: { withinDays: 30 },
      logs: { withinDays: 90 },
      config: { daily: 30 },
      keys: { daily: 30 },
    },
    verifications: {
      daily: { atHour: 5 },
      weekly: { atHour: 6, weekday: 1 },
      monthly: { atHour: 0, dayOfMonth: 1 },
    },
    reviews: {
      strategy: { atHour: 0, dayOfMonth: 1 },
      plan: { atHour: 0, dayOfMonth: 1, months: [0, 3, 6, 9] },
      audit: { atHour: 0, dayOfMonth: 1, months: [0] },
    },
    async close() {
      database.close();
      await redis.stop();
    },
  };
}

type Place = (name: string) => string;

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
objectives: { rpo: 2h, rto: 4h, proof: 35d }
repositories:
  primary: { store: ${place('repository')}, password: { env: HOLDFAST_PASSWORD } }
sources:
  omni-db:
    type: sqlite
    path: ${place('omni.db')}
    schedule: hourly
    retention: { within: 30d }
    validate: [{ name: there are customers, sql: "select count(*) > 0 from customers" }]
  sessions: { type: redis, url: ${redisUrl}, schedule: hourly, retention: { within: 30d } }
  uploads: { type: files, paths: [${place('uploads')}], schedule: hourly, retention: { within: 30d } }
  logs: { type: files, paths: [${place('logs')}], schedule: daily, retention: { within: 90d }, objectives: { rpo: 26h } }
  config: { type: files, paths: [${place('config')}], schedule: daily, retention: { daily: 30 }, objectives: { rpo: 26h } }
  keys: { type: secrets, from: { files: [${place('key')}] }, schedule: daily, retention: { daily: 30 }, objectives: { rpo: 26h } }
verification:
  - { name: daily, sources: "*", pick: latest, level: checked, schedule: daily at 05:00 }
  - { name: weekly, sources: [omni-db, uploads], pick: random, from: 7d, level: proven, schedule: weekly on monday at 06:00 }
  - { name: monthly, sources: "*", pick: latest, level: proven, schedule: monthly }
reviews: { strategy: monthly, plan: quarterly, audit: yearly }
${world.alerting}`;
}

/** What people and programs do to it, hour by hour. */
function livingOf(place: Place, database: Database, redis: RedisServer): Scenario['live'] {
  let hours = 0;
  return async (nowMs: number): Promise<void> => {
    if (new Date(nowMs).getUTCMinutes() !== 30 && hours > 0) return;
    hours++;
    if (hours === 1)
      for (let id = 1; id <= 50; id++) database.run(`insert into customers values (${id}, 'customer ${id}')`);
    database.run(`insert into orders (at) values ('${new Date(nowMs).toISOString()}')`);
    await redis.call('SET', `session:${hours % 100}`, String(nowMs));
    writeFileSync(join(place('uploads'), `upload-${hours % 200}`), `uploaded in hour ${hours}`);
    writeFileSync(join(place('logs'), 'omni.log'), `hour ${hours}\n`, { flag: 'a' });
    writeFileSync(join(place('config'), 'omni.conf'), `generation = ${Math.floor(hours / 24)}\n`);
  };
}

interface Failing {
  place: Place;
  database: Database;
  repository: string;
  noon(day: number): number;
}

function failuresOf({ place, database, repository, noon }: Failing): Failure[] {
  return [
    {
      name: 'the database is not where it was',
      ...{ fromMs: noon(3) - HOUR_MS / 2, untilMs: noon(3) + 2 * HOUR_MS },
      begin: () => database.moveTo(place('omni.away')),
      end: () => database.moveTo(place('omni.db')),
      alert: { rule: 'backup-failed', subject: 'omni-db', severity: 'p2' },
    },
    {
      name: 'the repository is away',
      ...{ fromMs: noon(5) - HOUR_MS / 2, untilMs: noon(5) + 1.5 * HOUR_MS },
      begin: () => renameSync(repository, `${repository}-away`),
      end: () => {
        rmSync(repository, { recursive: true, force: true });
        renameSync(`${repository}-away`, repository);
      },
      alert: { rule: 'repository-unreachable', subject: 'primary', severity: 'p2' },
    },
    {
      name: 'most customers are gone',
      ...{ fromMs: noon(8) - HOUR_MS / 2, untilMs: noon(8) + 4 * HOUR_MS },
      begin: () => database.run('create table kept as select * from customers; delete from customers where id > 10'),
      end: () => database.run('insert into customers select * from kept where id > 10; drop table kept'),
      alert: { rule: 'size-drop', subject: 'omni-db', severity: 'p1' },
    },
  ];
}
