import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { oldNode, requires } from '../support/requirements.ts';
import { addFile, fixtureTree, projectRoot } from './fixture-tree.ts';

/** A main that tells how it was started. `as string` and the warning show that types and warnings are dealt with. */
const MAIN = `
process.emitWarning('new and shiny', 'ExperimentalWarning');
const version = process.versions.node as string;
console.log(JSON.stringify({ major: Number.parseInt(version, 10), args: process.argv.slice(2) }));
process.exitCode = 7;
`;

/** A main that lives for a while, and tells its pid and the signals that it gets. */
const LASTING = `
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => console.log(signal));
console.log(\`pid \${process.pid}\`);
setTimeout(() => process.exit(0), 30_000);
`;

/** The ways to start it: by itself, and by an older Node that stays on as the parent. */
const WAYS: [name: string, program: () => string | undefined, skip: boolean][] = [
  ['bin/holdfast', () => undefined, false],
  ['node 24 bin/holdfast', () => process.execPath, false],
  ['an older node bin/holdfast', oldNode, !requires('old-node')],
];

for (const [way, program, skip] of WAYS) {
  describe.skipIf(skip)(way, () => {
    it('runs the sources on Node 24, with arguments and exit code passed on', () => {
      const { status, stdout, stderr } = start(checkout(MAIN), program());
      expect(stderr).toBe('');
      expect(JSON.parse(stdout)).toEqual({ major: 24, args: ['a b', "it's", ''] });
      expect(status).toBe(7);
    });

    const startsEngine = way !== 'node 24 bin/holdfast';
    if (startsEngine)
      it('bounds the memory of the engine, unless that is bounded already', () => {
        const main = `import { getHeapStatistics } from 'node:v8';
console.log(getHeapStatistics().heap_size_limit / 2 ** 20);`;
        const limitMebibytes = (options: string): number =>
          Number(start(checkout(main), program(), { env: { ...process.env, NODE_OPTIONS: options } }).stdout);
        expect(limitMebibytes('')).toBeLessThan(2048);
        expect(limitMebibytes('--max-old-space-size=2500')).toBeGreaterThan(2500);
        expect(limitMebibytes('--max_old_space_size=2500')).toBeGreaterThan(2500);
      });

    it('gives standard input to the program and leaves it alone otherwise', () => {
      const main = 'process.stdin.setEncoding("utf8").on("data", (text: string) => console.log(text.length));';
      const { stdout } = start(checkout(main), program(), { input: 'x'.repeat(1000) });
      expect(stdout).toBe('1000\n');
    });

    it('ends when the program has nothing more to do, though standard input stays open', async () => {
      const child = spawnIn(checkout('console.log("done");'), program());
      expect(await endOf(child)).toEqual([0, null]);
    });

    it('passes on the signal that ended the program', async () => {
      const child = spawnIn(checkout('process.kill(process.pid, "SIGABRT");'), program());
      expect(await endOf(child)).toEqual([null, 'SIGABRT']);
    });

    it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('delivers %s once, however it is sent', async (signal) => {
      const lasting = await startLasting(program());
      process.kill(lasting.launcherPid, signal);
      await expectInTheEnd(lasting.output, `${signal}\n`);
      // As a terminal does it: to every process of the group.
      process.kill(-lasting.launcherPid, signal);
      await expectInTheEnd(lasting.output, `${signal}\n${signal}\n`);
      process.kill(-lasting.launcherPid, 'SIGKILL');
    });

    it('ends by a signal that the program does not handle', async () => {
      const child = spawnIn(checkout('console.log("up"); setInterval(() => undefined, 1000);'), program());
      await firstOutput(child);
      process.kill(child.pid as number, 'SIGTERM');
      expect(await endOf(child)).toEqual([null, 'SIGTERM']);
    });

    it('leaves no orphan when it is killed', async () => {
      const lasting = await startLasting(program());
      process.kill(lasting.launcherPid, 'SIGKILL');
      await expect.poll(() => isRunning(lasting.pid)).toBe(false);
    });

    it('says what to do when the dependencies are missing', () => {
      const root = checkout("import 'commander';");
      rmSync(join(root, 'node_modules'));
      mkdirSync(join(root, 'node_modules'));
      const { status, stderr } = start(root, program());
      expect(status).toBe(1);
      expect(stderr).toBe(`holdfast: its dependencies are not installed; run "npm run setup" in ${root}\n`);
    });
  });
}

describe('bin/holdfast', () => {
  it('is found through links', () => {
    const root = checkout(MAIN);
    mkdirSync(join(root, 'links', 'deep'), { recursive: true });
    symlinkSync('../../bin/holdfast', join(root, 'links', 'deep', 'first'));
    symlinkSync('deep/first', join(root, 'links', 'second'));
    const { status, stderr } = spawnSync(join(root, 'links', 'second'), { encoding: 'utf8' });
    expect([status, stderr]).toEqual([7, '']);
  });

  it('runs what was built where there are no sources', () => {
    const root = checkout(MAIN);
    rmSync(join(root, 'src'), { recursive: true });
    addFile(root, 'dist/main/main.js', 'console.log("built");');
    expect(start(root, undefined).stdout).toBe('built\n');
  });

  it('runs what was built of the sources, until one of them has changed', () => {
    const root = checkout('console.log("source");');
    addFile(root, 'dist/main/main.js', 'console.log("built");');
    const { mtimeMs, size } = statSync(join(root, 'src/main/main.ts'));
    addFile(root, 'dist/built-of.json', JSON.stringify({ 'src/main/main.ts': [mtimeMs, size] }));
    expect(start(root, undefined).stdout).toBe('built\n');
    utimesSync(join(root, 'src/main/main.ts'), 0, mtimeMs / 1000 + 1);
    expect(start(root, undefined).stdout).toBe('source\n');
  });

  it.each(['{"src/main/gone.ts":[0,0],', '', '{"src/main/gone.ts":[0,0]}'])(
    'runs the sources where it cannot tell what was built of them: %j',
    (record) => {
      const root = checkout('console.log("source");');
      addFile(root, 'dist/main/main.js', 'console.log("built");');
      addFile(root, 'dist/built-of.json', record);
      expect(start(root, undefined).stdout).toBe('source\n');
    },
  );

  it('shows a failure of the program as it is', () => {
    const { status, stderr } = start(checkout("import './gone.ts';"), undefined);
    expect(status).toBe(1);
    expect(stderr).toContain('gone.ts');
  });

  it('starts where no directory can be made for what it keeps', () => {
    const { status, stderr } = start(checkout(MAIN), undefined, {
      env: { ...process.env, HOME: '/proc', XDG_CACHE_HOME: undefined, NODE_COMPILE_CACHE: undefined },
      timeout: 20_000,
    });
    expect([status, stderr]).toEqual([7, '']);
  });

  it.each([undefined, '', '3'])('gives programs the MALLOC_ARENA_MAX that it was given: %j', (given) => {
    const main = `
      import { execFileSync } from 'node:child_process';
      console.log(JSON.stringify(execFileSync('env', { encoding: 'utf8' }).split('\\n').filter((line) => /ARENA/.test(line))));
      import { readFileSync } from 'node:fs';
      console.log(/MALLOC_ARENA_MAX=[^\\0]*/.exec(readFileSync('/proc/self/environ', 'latin1'))?.[0]);
    `;
    const { stdout } = start(checkout(main), undefined, { env: { ...process.env, MALLOC_ARENA_MAX: given } });
    const own = given === undefined ? [] : [`MALLOC_ARENA_MAX=${given}`];
    expect(stdout).toBe(`${JSON.stringify(own)}\nMALLOC_ARENA_MAX=${given ?? '1'}\n`);
  });

  it("keeps compiled code in the user's own cache alone", () => {
    const root = checkout(MAIN);
    start(root, undefined, { env: { ...process.env, XDG_CACHE_HOME: root, NODE_COMPILE_CACHE: undefined } });
    expect(existsSync(join(root, 'holdfast', 'compiled'))).toBe(true);
  });
});

function checkout(main: string): string {
  const root = fixtureTree({ 'src/main/main.ts': main });
  cpSync(join(projectRoot, 'bin'), join(root, 'bin'), { recursive: true });
  copyFileSync(join(projectRoot, 'package.json'), join(root, 'package.json'));
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
  return root;
}

function start(
  root: string,
  node: string | undefined,
  options: { input?: string; env?: NodeJS.ProcessEnv; timeout?: number } = {},
) {
  const [program, args] = commandIn(root, node);
  return spawnSync(program, [...args, 'a b', "it's", ''], { encoding: 'utf8', ...options });
}

function spawnIn(root: string, node: string | undefined): ChildProcess {
  const [program, args] = commandIn(root, node);
  return spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
}

function commandIn(root: string, node: string | undefined): [program: string, args: string[]] {
  const launcher = join(root, 'bin', 'holdfast');
  return node === undefined ? [launcher, []] : [node, [launcher]];
}

async function startLasting(node: string | undefined) {
  const child = spawnIn(checkout(LASTING), node);
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await expect.poll(() => text).toContain('\n');
  const [first = ''] = text.split('\n');
  return {
    launcherPid: child.pid as number,
    pid: Number(first.slice('pid '.length)),
    output: () => text.slice(first.length + 1),
  };
}

/** Waits for the output to come, and then for a while whether more comes. */
async function expectInTheEnd(output: () => string, expected: string): Promise<void> {
  await expect.poll(output).toBe(expected);
  await sleep(300);
  expect(output()).toBe(expected);
}

function firstOutput(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.stdout?.once('data', resolve));
}

function endOf(child: ChildProcess): Promise<[code: number | null, signal: NodeJS.Signals | null]> {
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve([code, signal])));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
