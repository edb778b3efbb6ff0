/**
 * A real S3 server for a whole run of tests: Ceph's gateway, a monitor and one storage daemon with its data in memory, all
 * on the loopback interface. The run's first process keeps it; tests ask through a socket, so that a run in which none asks
 * starts nothing.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** Below the run's own directory, whose path is short. */
export const SOCKET = 'radosgw.sock';

export interface RadosgwAddress {
  endpoint: string;
  accessKeyId: string;
  secretAccessKey: string;
}

const START_WITHIN_MS = 60_000;

/** Answers each connection to `socket` with the address of the server, or what went wrong, and starts it for the first. */
export function offerRadosgw(socket: string, directory: string): { stop(): void } {
  const children: ChildProcess[] = [];
  let started: Promise<RadosgwAddress> | undefined;
  const server: Server = createServer((connection) => {
    started ??= startRadosgw(directory, children);
    const answer = started.catch((error: unknown) => ({ error: String(error) }));
    void answer.then((document) => connection.end(JSON.stringify(document)));
    // Whoever asked may be gone by then.
    connection.on('error', () => {});
  });
  server.listen(socket).unref();
  return {
    stop: () => {
      server.close();
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

/** Its processes come to `children`, for whoever is to end them. @throws what the servers said when they do not start */
export async function startRadosgw(directory: string, children: ChildProcess[]): Promise<RadosgwAddress> {
  for (const name of ['mon', 'osd']) mkdirSync(join(directory, name), { recursive: true });
  const [monitorPort, port] = [await freePort(), await freePort()];
  const cluster = randomUUID();
  const storage = randomUUID();
  writeFileSync(join(directory, 'ceph.conf'), configuration(directory, { cluster, monitorPort, port }));
  const run = (program: string, ...words: string[]) => runProgram(directory, program, words);
  const keep = (program: string, ...words: string[]) => children.push(keepProgram(directory, program, words));
  run('monmaptool', '--create', '--fsid', cluster, '--addv', 'a', `[v2:127.0.0.1:${monitorPort}]`, 'monmap');
  run('ceph-mon', '--mkfs', '--id', 'a', '--monmap', 'monmap');
  keep('ceph-mon', '--id', 'a');
  run('ceph', 'osd', 'new', storage);
  run('ceph-osd', '--mkfs', '--no-mon-config', '--id', '0', '--osd-uuid', storage);
  keep('ceph-osd', '--id', '0');
  keep('radosgw', '--name', 'client.rgw');
  const keys = { accessKeyId: 'holdfast-tests', secretAccessKey: randomUUID() };
  const address = { endpoint: `http://127.0.0.1:${port}`, ...keys };
  await untilAnswering(address.endpoint, directory, children);
  const user = ['--uid', 'tests', '--display-name', 'tests', '--max-buckets', '0'];
  run('radosgw-admin', 'user', 'create', ...user, '--access-key', keys.accessKeyId, '--secret', keys.secretAccessKey);
  return address;
}

function configuration(
  directory: string,
  { cluster, monitorPort, port }: { cluster: string; monitorPort: number; port: number },
): string {
  return `[global]
fsid = ${cluster}
run dir = ${directory}
admin socket =
log file = ${directory}/$name.log
mon host = v2:127.0.0.1:${monitorPort}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms mon client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
paxos propose interval = 0.02
paxos min wait = 0.01
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
[mon.a]
mon data = ${directory}/mon
[osd.0]
osd data = ${directory}/osd
osd objectstore = memstore
memstore device bytes = 16G
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
`;
}

function runProgram(directory: string, program: string, words: string[]): void {
  const options = { cwd: directory, encoding: 'utf8', timeout: START_WITHIN_MS } as const;
  const { status, stderr, error } = spawnSync(program, ['--conf', 'ceph.conf', ...words], options);
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${error?.message ?? stderr}`);
}

/** Ends with this process, however that ends. */
function keepProgram(directory: string, program: string, words: string[]): ChildProcess {
  const output = openSync(join(directory, `${program}.out`), 'a');
  const line = ['--pdeathsig', 'KILL', program, '--conf', 'ceph.conf', '--foreground', ...words];
  const child = spawn('setpriv', line, { cwd: directory, stdio: ['ignore', output, output] });
  child.unref();
  return child;
}

async function untilAnswering(endpoint: string, directory: string, children: ChildProcess[]): Promise<void> {
  const untilMs = performance.now() + START_WITHIN_MS;
  while (true) {
    if (await isAnswering(endpoint)) return;
    const ended = children.find(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
    if (ended !== undefined || performance.now() > untilMs) {
      const said = ['ceph-mon', 'ceph-osd', 'radosgw'].map((name) =>
        readFileSync(join(directory, `${name}.out`), 'utf8'),
      );
      throw new Error(`radosgw does not start: ${said.join('\n').slice(-2000)}`);
    }
    await setTimeout(50);
  }
}

async function isAnswering(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(endpoint)).ok;
  } catch (error) {
    // What fetch throws where nobody listens yet.
    if (error instanceof TypeError) return false;
    throw error;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
