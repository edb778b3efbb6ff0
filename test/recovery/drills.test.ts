/** Drills by the command line, with a runbook that would do harm if it could. */
import { createSocket } from 'node:dgram';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { runProgram } from '../../src/foundation/process.ts';
import {
  document,
  environment,
  holdfast,
  initialise,
  scratchDirectory,
  startHoldfast,
  writePlan,
} from '../support/cli.ts';

/** Says what it reached. TCP, UDP, a Unix socket, a secret file, the living data, credentials, another process, settings of the machine; then a copy. */
const HOSTILE = `#!/bin/bash
(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && echo "reached tcp"
(exec 3<>"/dev/udp/127.0.0.1/$2" && echo hello >&3) 2>/dev/null
perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, pack_sockaddr_un($ARGV[0])) and print "reached socket\\n"' "$3"
cat "$4" >/dev/null 2>&1 && echo "reached secret"
(echo gone >"$5") 2>/dev/null && echo "reached living"
[ -n "$LIVING_URL$HOLDFAST_PASSWORD$GIVEN" ] && echo "reached credentials"
kill -0 "$6" 2>/dev/null && echo "reached process"
(read -r value </proc/sys/vm/swappiness && echo "$value" >/proc/sys/vm/swappiness) 2>/dev/null && echo "reached settings"
(echo changed >"$7/changed") 2>/dev/null && echo "changed the copy"
true
`;

async function listening(server: Server, place: string | number): Promise<() => number> {
  let connections = 0;
  server.on('connection', (socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => {
    if (typeof place === 'string') server.listen(place, resolve);
    else server.listen(place, '127.0.0.1', resolve);
  });
  onTestFinished(() => void server.close());
  return () => connections;
}

async function living() {
  const directory = scratchDirectory();
  const [file, secret, script] = [
    join(directory, 'data', 'a.txt'),
    join(directory, 'secret'),
    join(directory, 'hostile.sh'),
  ];
  mkdirSync(join(directory, 'data'));
  writeFileSync(file, 'what lives');
  writeFileSync(secret, 'a password');
  writeFileSync(script, HOSTILE);
  chmodSync(script, 0o755);
  const [tcp, unix, udp] = [createServer(), createServer(), createSocket('udp4')];
  const [ofTcp, ofUnix] = [await listening(tcp, 0), await listening(unix, join(directory, 'socket'))];
  let messages = 0;
  udp.on('message', () => messages++);
  await new Promise<void>((resolve) => void udp.bind(0, '127.0.0.1', resolve));
  onTestFinished(() => void udp.close());
  const port = (tcp.address() as { port: number }).port;
  const words = [port, udp.address().port, join(directory, 'socket'), secret, file, process.pid].map(String);
  return { directory, file, words, contacts: () => ofTcp() + ofUnix() + messages };
}

async function prepared(directory: string, steps: string): Promise<void> {
  const runbook = `
runbooks:
  lost:
    scenario: All is lost
    objectives: { rto: 1h }
    params: { target: { required: true } }
    steps:
      - { id: fence, do: task, ask: "Is it off?" }
      - { id: point, do: recovery-point, source: files, choose: latest }
      - { id: restore, do: restore, source: files, at: "\${point.time}", to: "\${target}" }
      - { id: verify, do: verify, sources: [files], against: "\${restore.target}" }
${steps}
`;
  writePlan(directory, `  files: { type: files, paths: [${join(directory, 'data')}] }`, runbook);
  await initialise(directory);
  expect((await holdfast(directory, ['backup'])).exit).toBe(0);
}

test('a hostile runbook reaches nothing but the copies, which are gone afterwards', async () => {
  const { directory, file, words, contacts } = await living();
  const attack = JSON.stringify(['./hostile.sh', ...words, '${restore.target}']);
  await prepared(
    directory,
    `      - { id: attack, do: exec, exec: ${attack}, env: { GIVEN: { env: HOLDFAST_PASSWORD } }, drill: run, restoresService: true }
      - { id: outside, do: http, http: { url: "http://127.0.0.1:${words[0]}/" } }`,
  );
  const env = environment({ LIVING_URL: 'postgresql://living:secret@127.0.0.1/db' });
  const ran = await holdfast(directory, ['drill', 'lost', '--json'], env);
  const drilled = document(ran);
  const steps = Object.fromEntries(drilled.steps.map((each: { step: string }) => [each.step, each]));
  expect(steps.attack).toMatchObject({ state: 'done', outputs: { output: 'changed the copy' } });
  expect(contacts()).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe('what lives');
  expect(drilled).toMatchObject({ kind: 'drill', state: 'closed', outcome: 'done', isRestored: true });
  expect(ran.exit).toBe(0);
  expect([steps.fence.state, steps.restore.state, steps.verify.state, steps.outside.state]).toEqual([
    ...['skipped', 'done', 'done', 'skipped'],
  ]);
  expect(steps['drill-control']).toMatchObject({
    state: 'done',
    summary: expect.stringContaining(
      'verification found it: a bit of each pack of files on its way; a byte of one of the restored files',
    ),
  });
  expect(existsSync(steps.restore.outputs.target)).toBe(false);
  const resumed = document(await holdfast(directory, ['incident', 'abort', drilled.id, '--why', 'x', '--json'], env));
  expect(resumed.error.code).toBe('bad-usage');

  // It could, if it were let.
  const free = await runProgram(join(directory, 'hostile.sh'), [...words, directory], {
    environment: { PATH: '/usr/bin:/bin', LIVING_URL: 'x' },
  });
  const mine = ['tcp', 'socket', 'secret', 'living', 'credentials', 'process'];
  const all = [...mine, ...(process.getuid?.() === 0 ? ['settings'] : [])].map((what) => `reached ${what}`);
  expect(free.output.trim().split('\n')).toEqual([...all, 'changed the copy']);
  await expect.poll(contacts).toBe(3);
});

test('of a drill that is killed nothing is left: neither its copies nor its programs', async () => {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'a.txt'), 'what lives');
  const seconds = `8${String(process.pid).padStart(7, '0')}`;
  await prepared(directory, `      - { id: hang, do: exec, exec: [sleep, "${seconds}"], drill: run }`);
  const { child, done } = startHoldfast(directory, ['drill', 'lost']);
  let said = '';
  child.stderr!.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  const programs = () =>
    readdirSync('/proc').filter((name) => /^\d+$/.test(name) && commandOf(name) === `sleep\0${seconds}\0`);
  while (programs().length === 0 && child.exitCode === null) await pause(50);
  expect(programs()).toHaveLength(1);
  const copy = / to (\/\S*holdfast-[0-9a-f]{10})/.exec(said)![1]!;
  expect(existsSync(copy)).toBe(true);
  child.kill('SIGKILL');
  await done;
  await expect.poll(programs, { timeout: 20_000 }).toEqual([]);
  await expect.poll(() => existsSync(copy), { timeout: 20_000 }).toBe(false);
});

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
