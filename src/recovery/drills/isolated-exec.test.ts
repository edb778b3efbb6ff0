import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { testDirectory } from '../../../test/support/repository.ts';
import { bareWorkspace, contextOf } from '../../../test/support/steps.ts';
import { loadStepKind } from '../steps/index.ts';
import { drillKinds } from './drill-kinds.ts';
import type { DrillWork } from './drill-work.ts';

/** What lies beside a socket is read by the server, and by this process, from outside: who could change it would be outside. */
const TRIES = `[ -e "$1" ] && echo "reached files"
(ln -s /etc/passwd "$1.new" && mv -T "$1.new" "$1") 2>/dev/null && ls -l "$1"
perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, pack_sockaddr_un($ARGV[0])) and print "reached the server\\n"' "$2"
`;

it.each([
  ['PostgreSQL', '.s.PGSQL.5432', (directory: string) => `postgresql://it@${encodeURIComponent(directory)}/db`],
  ['Redis', 'redis.sock', (directory: string) => `redis+unix://${encodeURI(join(directory, 'redis.sock'))}`],
])('a program reaches the server of a copy of %s, and none of its files', async (_, name, url) => {
  const directory = testDirectory();
  const [socket, file] = [join(directory, name), join(directory, 'data', 'postgresql.conf')];
  mkdirSync(join(directory, 'data'));
  writeFileSync(file, 'its own');
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(socket, resolve));
  onTestFinished(() => void server.close());
  const workspace = bareWorkspace({ directory: '/nothing' });
  const given = { do: 'exec', exec: ['sh', '-c', TRIES, 'tries', file, socket] } as const;
  const context = contextOf(workspace, given, { kind: 'drill' });
  const work = { living: workspace, notIsolated: undefined, areTouched: false, places: [{ to: url(directory) }] };
  const { outputs } = await runInDrill('exec', context, work);
  expect(outputs['output']).toBe('reached the server');
  expect(work.areTouched).toBe(true);
});

async function runInDrill(kind: 'exec' | 'http' | 'deploy' | 'keys.revoke' | 'isolate', context: object, work: object) {
  return (await loadStepKind(kind, drillKinds(work as DrillWork))).run(context as never);
}

/** Starts what answers on a port of the loopback, and asks it; then tries a port that lives outside. */
const ASKS = `use Socket;
socket(my $l, AF_INET, SOCK_STREAM, 0); bind($l, sockaddr_in(0, INADDR_LOOPBACK)); listen($l, 1);
my ($own) = sockaddr_in(getsockname($l));
for my $port ($own, $ARGV[0]) {
  socket(my $c, AF_INET, SOCK_STREAM, 0);
  print connect($c, sockaddr_in($port, INADDR_LOOPBACK)) ? "reached " : "nobody at ", $port == $own ? "itself" : "the living", "\n";
}`;

it.each(['exec', 'deploy', 'keys.revoke', 'isolate'] as const)(
  '%s by a program has a network of its own, where it can ask what it starts, and reaches nobody else',
  async (kind) => {
    const server = createServer();
    let connections = 0;
    server.on('connection', (socket) => {
      connections++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const workspace = bareWorkspace({ directory: '/nothing' });
    const given = { do: kind, exec: ['perl', '-e', ASKS, String(port)], drill: 'run' } as const;
    const context = contextOf(workspace, given, { kind: 'drill' });
    const work = { living: workspace, notIsolated: undefined, areTouched: false, places: [] };
    const { outcome, outputs } = await runInDrill(kind, context, work);
    expect([outcome, outputs['output']]).toEqual(['done', 'reached itself\nnobody at the living']);
    expect(await runInDrill(kind, context, { ...work, notIsolated: 'no namespaces' })).toMatchObject({
      outcome: 'partial',
      summary: expect.stringContaining('no namespaces'),
    });
    expect(connections).toBe(0);
  },
);

it('a request of a drill is not sent, and the drill is partial for it', async () => {
  const http = { url: 'http://127.0.0.1:9/', method: 'GET' };
  const workspace = bareWorkspace({ directory: '/nothing', standbys: new Map(), sources: new Map() } as never);
  const context = contextOf(workspace, { do: 'http', http, drill: 'run' } as never, { kind: 'drill' });
  const work = { living: { plan: { sources: new Map(), standbys: new Map() } }, notIsolated: undefined, places: [] };
  expect(await runInDrill('http', context, work)).toMatchObject({
    outcome: 'partial',
    summary: 'not done: a drill has no copy of what http works on',
  });
});
