/** The platform of `examples/omni-enterprise.yaml` on servers of this machine: two data centres, one name that leads to one of them. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../../src/foundation/errors.ts';
import { settled } from '../../../src/foundation/promises.ts';
import { follow, storedEnd } from '../../../src/operations/index.ts';
import { listSnapshots } from '../../../src/repository/index.ts';
import { postgresFailover } from '../../../src/source/postgres/failover/index.ts';
import { projectRoot } from '../../house/fixture-tree.ts';
import { environment } from '../../support/cli.ts';
import { until } from '../../support/followed.ts';
import { type PairedServer, PostgresPair } from '../../support/postgres-pair.ts';
import { freePort } from '../../support/redis.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { testDirectory } from '../../support/repository.ts';
import { type RequestServer, startRequestServer } from '../../support/request-server.ts';
import { SecretManagerServer } from '../../support/secret-manager-server.ts';
import { NameServer } from '../region-failure/routing.ts';
import { Responders } from './responders.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const DNS_KEY = { name: 'holdfast', algorithm: 'hmac-sha256', secret: Buffer.alloc(32, 7).toString('base64') };

/** What the application logs in with, at first. */
export const OLD_PASSWORD = 'known-to-too-many';
export const SECRETS = {
  database: 'projects/omni/secrets/database-password',
  sessions: 'projects/omni/secrets/sessions-password',
};

const PREPARE = `
  create role application login password '${OLD_PASSWORD}';
  create table customers (id int primary key, name text);
  insert into customers select number, 'customer ' || number from generate_series(1, 200) as number;
  create table uploads (path text);
  create table writes (id text primary key);
  grant all on customers, uploads, writes to application`;
/** The application has to say its password; who administers the server on this machine does not. */
const HBA = 'host all application 127.0.0.0/8 scram-sha-256\n';
const USERS = `user default on nopass ~* &* +@all\nuser application on >${OLD_PASSWORD} ~* &* +@all\n`;

export class Platform {
  readonly directory = testDirectory();
  readonly pair: PostgresPair;
  readonly redis: { home: RedisServer; away: RedisServer };
  readonly names: NameServer;
  readonly secrets: SecretManagerServer;
  /** Its maintenance switch, and what says whether it is healthy. */
  readonly web: RequestServer;
  readonly team: Responders;
  /** The server that the plan's URL leads to: another one after a restore. */
  home: PairedServer;

  private constructor(parts: Pick<Platform, 'pair' | 'redis' | 'names' | 'secrets' | 'web'>, runbookChanges: Changes) {
    this.pair = parts.pair;
    this.home = parts.pair.primary;
    this.redis = parts.redis;
    this.names = parts.names;
    this.secrets = parts.secrets;
    this.web = parts.web;
    this.#writeFiles(runbookChanges);
    this.team = new Responders(this.directory, this.variables);
  }

  /** @param changes of durations in the plan, by what is written there: nobody waits an hour for a test */
  static async open(changes: Changes = {}): Promise<Platform> {
    const redisPort = await freePort();
    const secrets = new SecretManagerServer();
    const [pair, home, away, web] = await Promise.all([
      PostgresPair.start(BIN, PREPARE, { isOnePort: true, hba: HBA }),
      startRedisWithUsers(redisPort, '127.0.0.1'),
      startRedisWithUsers(redisPort, '127.0.0.2'),
      startRequestServer(),
      secrets.start(),
    ]);
    for (const name of Object.values(SECRETS)) secrets.put(name, [OLD_PASSWORD]);
    await away.call('REPLICAOF', home.address, home.port);
    await until(async () => (await away.text('INFO', 'replication')).includes('master_link_status:up'));
    const names = await NameServer.start('', DNS_KEY, {
      name: 'omni.example',
      records: ['db', 'sessions']
        .flatMap((name) => [
          `${name} IN CNAME ${name}-home`,
          `${name}-home IN A 127.0.0.1`,
          `${name}-eu IN A 127.0.0.2`,
        ])
        .join('\n'),
    });
    const platform = new Platform({ pair, redis: { home, away }, names, secrets, web }, changes);
    const { exit, stderr } = await platform.team.run('init');
    if (exit !== 0) throw new Error(stderr);
    return platform;
  }

  get variables(): Record<string, string> {
    const { primary, standby } = this.pair;
    const directories = ['uploads', 'logs', 'config'].map((name) => [
      `OMNI_${name.toUpperCase()}`,
      join(this.directory, name),
    ]);
    return environment({
      ...Object.fromEntries(directories),
      ...{ OMNI_BACKUPS: join(this.directory, 'repository'), OMNI_CODE: '/nowhere', OMNI_PROJECT: 'omni' },
      ...{ OMNI_DATABASE_URL: primary.url(), OMNI_EU_DATABASE_URL: standby.url() },
      ...{ OMNI_REDIS_URL: this.redis.home.url, OMNI_EU_REDIS_URL: this.redis.away.url },
      ...{ OMNI_MAINTENANCE: `${this.web.url}/maintenance`, OMNI_HEALTH: `${this.web.url}/health` },
      ...{ OMNI_PROMETHEUS: this.web.url, OMNI_DNS: `127.0.0.1:${this.names.port}`, OMNI_DNS_KEY: DNS_KEY.secret },
      ...{ PAGERDUTY_KEY: 'unused', SMTP_URL: 'smtp://127.0.0.1:1' },
      SECRET_MANAGER_EMULATOR_HOST: this.secrets.host,
    });
  }

  /** Backs up the database. */
  async backUp(): Promise<{ snapshot: string; time: string }> {
    return (await this.team.document('backup', 'omni-db')).sources[0];
  }

  /** The same, and proves what was taken. */
  async protect(): Promise<{ snapshot: string; time: string }> {
    const taken = await this.backUp();
    await this.team.document('verify', 'omni-db');
    return taken;
  }

  /** Says of a backup what one says by itself that differs too much from those before it. */
  async suspect(snapshot: string): Promise<void> {
    const workspace = await this.team.workspace();
    const { repository } = await workspace.open('primary');
    const { time, tree } = (await listSnapshots(repository)).find(({ id }) => id === snapshot)!;
    const why = 'a tenth of it changed at once';
    await workspace.recorder('primary').record('snapshot.suspected', { source: 'omni-db', snapshot, tree, time, why });
  }

  /** Follows the log of the database, until it is told to stop. */
  async follow(): Promise<{ caughtUp(): Promise<void>; stop(): Promise<void> }> {
    const stopping = new AbortController();
    const workspace = await this.team.workspace(stopping.signal);
    const following = follow(workspace, ['omni-db'], { everyMs: 1000 });
    const { system } = await postgresFailover.look(this.home.url(), stopping.signal);
    const reaches = async (lsn: bigint) => ((await storedEnd(workspace, 'omni-db', system))?.lsn ?? 0n) >= lsn;
    return {
      caughtUp: async () => {
        const { lsn } = await postgresFailover.look(this.home.url(), stopping.signal);
        await until(() => reaches(lsn));
      },
      stop: async () => {
        stopping.abort(new HoldfastError('interrupted', 'the test has seen enough'));
        await settled(following);
      },
    };
  }

  /** All of the first data centre, at once. */
  async killHome(): Promise<void> {
    await Promise.all([this.home.kill(), this.redis.home.stop()]);
  }

  /** Runs what was restored to a directory in the place of the server that the plan's URL leads to. */
  async replaceHome(directory: string): Promise<void> {
    await settled(this.home.stop());
    this.home = this.home.replacedBy(directory);
    await this.home.start();
  }

  async close(): Promise<void> {
    const { home, away } = this.redis;
    const ends = [home.stop(), away.stop(), this.names.stop(), this.web.close(), this.pair.end()];
    if (this.home !== this.pair.primary) ends.push(this.home.end());
    for (const end of ends) await settled(end);
    this.secrets.stop();
  }

  #writeFiles(changes: Changes): void {
    let plan = readFileSync(join(projectRoot, 'examples', 'omni-enterprise.yaml'), 'utf8');
    for (const [written, instead] of Object.entries(changes)) {
      if (!plan.includes(written)) throw new Error(`the plan does not say ${written}`);
      plan = plan.replaceAll(written, instead);
    }
    writeFileSync(join(this.directory, 'holdfast.yaml'), plan);
    for (const name of ['uploads', 'logs', 'config']) mkdirSync(join(this.directory, name));
    const script = join(this.directory, 'revoke-keys');
    writeFileSync(script, '#!/bin/sh\necho "revoked $*" >>revoked.log\n');
    chmodSync(script, 0o755);
  }
}

type Changes = Readonly<Record<string, string>>;

/** Its users are in a file of their own, so that it remembers what becomes of them. */
async function startRedisWithUsers(port: number, address: string): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'redis-'));
  const file = join(directory, 'users.acl');
  writeFileSync(file, USERS);
  return RedisServer.start(['--aclfile', file], directory, { port, address, hasFile: true });
}
