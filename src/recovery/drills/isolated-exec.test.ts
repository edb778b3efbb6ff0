import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { testDirectory } from '../../../test/support/repository.ts';
import { bareWorkspace, contextOf } from '../../../test/support/steps.ts';
import type { DrillWork } from './drill-work.ts';
import { execInside } from './isolated-exec.ts';

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
  const { outputs } = await execInside(context as never, work as unknown as DrillWork);
  expect(outputs['output']).toBe('reached the server');
  expect(work.areTouched).toBe(true);
});
