/** Two regions on one machine: PostgreSQL and Redis in both, one following the other, and an application before them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../src/foundation/clock.ts';
import { noProgress } from '../../../src/foundation/progress.ts';
import { settled } from '../../../src/foundation/promises.ts';
import { adapters } from '../../../src/main/adapters.ts';
import { Workspace } from '../../../src/operations/index.ts';
import { loadPlan } from '../../../src/plan/index.ts';
import { environment, holdfast } from '../../support/cli.ts';
import { until } from '../../support/followed.ts';
import { PostgresPair } from '../../support/postgres-pair.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { testDirectory } from '../../support/repository.ts';
import { Application } from './application.ts';
import { LoadBalancer, NAME, NameServer } from './routing.ts';

const PREPARE = 'create role app login; create table writes (id text primary key); grant all on writes to app';

/** It writes down what becomes of it. */
const lastingRedis = () => RedisServer.start([], undefined, { hasFile: true });

export class Stage {
  readonly directory = testDirectory();
  readonly pair: PostgresPair;
  readonly redis: { first: RedisServer; second: RedisServer };
  readonly balancer: LoadBalancer;
  readonly names: NameServer;
  readonly application: Application;

  private constructor(parts: Pick<Stage, 'pair' | 'redis' | 'balancer' | 'names'>) {
    this.pair = parts.pair;
    this.redis = parts.redis;
    this.balancer = parts.balancer;
    this.names = parts.names;
    this.application = new Application({
      ...{ nameServer: `127.0.0.1:${this.names.port}`, name: NAME },
      ...{ postgresPort: this.balancer.ports.get('postgres')!, redisPort: this.balancer.ports.get('redis')! },
    });
  }

  /** Returns once the application writes and all of its writes are on the way to the other region. */
  static async open(binDirectory: string, { isSynchronous }: { isSynchronous: boolean }): Promise<Stage> {
    const pair = await PostgresPair.start(binDirectory, PREPARE, { isSynchronous });
    const [first, second] = await Promise.all([lastingRedis(), lastingRedis()]);
    await second.call('REPLICAOF', '127.0.0.1', first.port);
    await until(async () => (await second.text('INFO', 'replication')).includes('master_link_status:up'));
    const balancer = await LoadBalancer.start([
      { name: 'postgres', firstPort: pair.primary.port, secondPort: pair.standby.port },
      { name: 'redis', firstPort: first.port, secondPort: second.port },
    ]);
    const stage = new Stage({ pair, redis: { first, second }, balancer, names: await NameServer.start('127.0.0.1') });
    await stage.#writePlan();
    await stage.application.goesOn();
    return stage;
  }

  get variables(): Record<string, string> {
    const { primary, standby } = this.pair;
    return environment({
      ...{ DB_URL: primary.url(), STANDBY_URL: standby.url() },
      ...{ REDIS_URL: this.redis.first.url, REPLICA_URL: this.redis.second.url },
    });
  }

  async #writePlan(): Promise<void> {
    const replica = { env: 'REPLICA_URL' };
    const { directory } = this.pair.primary;
    const plan = {
      ...{ version: 1, name: 'omni' },
      repositories: { main: { store: './repository', password: { env: 'HOLDFAST_PASSWORD' } } },
      sources: {
        db: { type: 'postgres', url: { env: 'DB_URL' }, method: 'physical', objectives: { rpo: '5m' } },
        cache: { type: 'redis', url: { env: 'REDIS_URL' }, objectives: { rpo: '5m' } },
      },
      standbys: { eu: { of: 'db', url: { env: 'STANDBY_URL' } } },
      runbooks: {
        'region-failure': {
          scenario: 'Complete region failure',
          objectives: { rto: '2h' },
          steps: [
            { id: 'fence', do: 'postgres.fence', source: 'db' },
            { id: 'promote', do: 'postgres.promote', standby: 'eu', restoresService: true },
            { id: 'cache', do: 'redis.promote', source: 'cache', url: replica },
            { id: 'protect', do: 'backup', sources: ['db'], prove: true },
          ],
        },
        'way-back': {
          scenario: 'The old region is back',
          steps: [
            { id: 'reseed', do: 'postgres.reseed', source: 'db', from: { env: 'STANDBY_URL' }, directory },
            { id: 'cache-reseed', do: 'redis.reseed', source: 'cache', from: replica },
            { id: 'fence', do: 'postgres.fence', source: 'db', url: { env: 'STANDBY_URL' } },
            { id: 'promote', do: 'postgres.promote', standby: 'eu', url: { env: 'DB_URL' } },
          ],
        },
      },
    };
    writeFileSync(join(this.directory, 'holdfast.yaml'), JSON.stringify(plan));
    const { exit, stderr } = await holdfast(this.directory, ['init'], this.variables);
    if (exit !== 0) throw new Error(stderr);
  }

  async workspace(): Promise<Workspace> {
    const loaded = await loadPlan({ cwd: this.directory, env: {} });
    return new Workspace(loaded, {
      ...{ clock: systemClock, version: '0.0.0', progress: () => noProgress, adapters, variables: this.variables },
      signal: new AbortController().signal,
    });
  }

  /** All of the first region, at once. */
  async killFirstRegion(): Promise<void> {
    await Promise.all([this.pair.primary.kill(), this.redis.first.stop()]);
  }

  /** What was acknowledged until now and is not in the second region. */
  async lost(): Promise<{ rows: string[]; keys: string[] }> {
    const rows = this.application.acknowledged.map(({ id }) => id);
    const keys = [...this.application.acknowledgedByRedis];
    const rowsThere = new Set((await this.pair.standby.query('select id from writes')).map(({ id }) => String(id)));
    const keysThere = new Set(((await this.redis.second.call('KEYS', '*')) as unknown[]).map(String));
    return { rows: rows.filter((id) => !rowsThere.has(id)), keys: keys.filter((key) => !keysThere.has(key)) };
  }

  async close(): Promise<void> {
    await this.application.stop();
    const { first, second } = this.redis;
    for (const end of [first.stop(), second.stop(), this.balancer.stop(), this.names.stop(), this.pair.end()])
      await settled(end);
  }
}
