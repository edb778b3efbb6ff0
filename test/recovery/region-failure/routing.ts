/** What leads clients to servers: HAProxy, and BIND for the name that they know. Both as processes of the test's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { until } from '../../support/followed.ts';
import { freePort } from '../../support/redis.ts';

export const ZONE = 'omni.test';
export const NAME = `db.${ZONE}`;

/** Which server is the first, and which one takes over when that does not answer. */
export interface Route {
  name: 'postgres' | 'redis';
  firstPort: number;
  secondPort: number;
}

export class LoadBalancer {
  readonly ports = new Map<Route['name'], number>();
  readonly #adminPort: number;
  readonly #process: ChildProcess;

  private constructor(adminPort: number, child: ChildProcess) {
    this.#adminPort = adminPort;
    this.#process = child;
  }

  static async start(routes: readonly Route[]): Promise<LoadBalancer> {
    const ports = new Map<Route['name'], number>();
    for (const { name } of routes) ports.set(name, await freePort());
    const adminPort = await freePort();
    const file = join(mkdtempSync(join(tmpdir(), 'haproxy-')), 'haproxy.cfg');
    const listens = routes.map(
      ({ name, firstPort, secondPort }) => `
listen ${name}
  bind 127.0.0.1:${ports.get(name)}
  default-server inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
  server first 127.0.0.1:${firstPort} check
  server second 127.0.0.1:${secondPort} check backup`,
    );
    const head = `global
  stats socket ipv4@127.0.0.1:${adminPort} level admin
defaults
  mode tcp
  timeout connect 1s
  timeout client 1m
  timeout server 1m`;
    writeFileSync(file, `${head}${listens.join('')}\n`);
    const balancer = new LoadBalancer(adminPort, spawn('/usr/sbin/haproxy', ['-db', '-f', file], { stdio: 'ignore' }));
    for (const [name, port] of ports) balancer.ports.set(name, port);
    await until(async () => (await balancer.say('show info').catch(() => '')).includes('HAProxy'));
    return balancer;
  }

  /** Leads nobody to a server any more, whether it answers or not; or again. */
  async turn(server: string, state: 'maint' | 'ready'): Promise<void> {
    await this.say(`set server ${server} state ${state}`);
    if (state === 'maint') await this.say(`shutdown sessions server ${server}`);
  }

  async say(command: string): Promise<string> {
    const socket = connect(this.#adminPort, '127.0.0.1');
    socket.end(`${command}\n`);
    return text(socket);
  }

  async stop(): Promise<void> {
    await ended(this.#process);
  }
}

export class NameServer {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#process = child;
  }

  /**
   * One zone, in which the name leads to an address.
   * @param key who has it may update the zone
   * @param zone its name, and what is in it instead
   */
  static async start(
    address: string,
    key?: { name: string; algorithm: string; secret: string },
    zone: { name: string; records: string } = { name: ZONE, records: `db IN A ${address}` },
  ): Promise<NameServer> {
    const port = await freePort();
    const directory = mkdtempSync(join(tmpdir(), 'named-'));
    const text = `$TTL 1\n@ IN SOA ns root 1 60 60 60 1\n@ IN NS ns\nns IN A 127.0.0.1\n${zone.records}\n`;
    writeFileSync(join(directory, 'zone'), text);
    writeFileSync(
      join(directory, 'named.conf'),
      `options { directory "${directory}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no;
        pid-file "${directory}/pid"; session-keyfile "${directory}/session.key"; managed-keys-directory "${directory}"; };
       controls {};
       ${key === undefined ? '' : `key "${key.name}" { algorithm ${key.algorithm}; secret "${key.secret}"; };`}
       zone "${zone.name}" { type master; file "zone"; ${key === undefined ? '' : `allow-update { key "${key.name}"; };`} };\n`,
    );
    const words = ['-g', '-n', '1', '-c', join(directory, 'named.conf')];
    const server = new NameServer(port, spawn('/usr/sbin/named', words, { stdio: 'ignore' }));
    await until(async () => existsSync(join(directory, 'pid')));
    return server;
  }

  async stop(): Promise<void> {
    await ended(this.#process);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
