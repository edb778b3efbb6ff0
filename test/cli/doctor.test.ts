import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { document, environment, holdfast, initialise, scratchDirectory, writePlan } from '../support/cli.ts';
import { skipWithout } from '../support/requirements.ts';

function prepared(): string {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'file'), 'x');
  symlinkSync('data', join(directory, 'link'));
  writePlan(directory, `  files: { type: files, paths: [${join(directory, 'data')}] }`);
  return directory;
}

async function findings(directory: string, env?: Record<string, string>) {
  const ran = await holdfast(directory, ['doctor', '--json'], env);
  const { repositories, sources } = document(ran);
  return { exit: ran.exit, repository: repositories[0].findings, source: sources[0].findings };
}

describe('holdfast doctor', () => {
  it('ends with 0 when nothing is missing, and leaves the repository as it was', async () => {
    const directory = prepared();
    await initialise(directory);
    const list = () => execFileSync('find', ['.', '-type', 'f'], { cwd: join(directory, 'repository') }).toString();
    const before = list();
    const ran = await holdfast(directory, ['doctor']);
    expect([ran.exit, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout).toMatch(/^repository main\n {2}ok {7}repository: .*\n {2}ok {7}writing: .*\n\nsource files\n/);
    expect(ran.stdout).toMatch(/\nnothing is missing\n$/);
    expect(list()).toBe(before);
  });

  it('names a repository that is not there, and the command that makes it', async () => {
    const directory = prepared();
    const { exit, repository } = await findings(directory);
    expect([exit, repository.length]).toEqual([4, 1]);
    expect(repository[0]).toMatchObject({ level: 'missing', mend: { place: 'shell', lines: ['holdfast init'] } });
    await holdfast(directory, ['init']);
    expect((await findings(directory)).exit).toBe(0);
  });

  it('names a password that is wrong, and one that is not there', async () => {
    const directory = prepared();
    await initialise(directory);
    const wrong = await findings(directory, environment({ HOLDFAST_PASSWORD: 'a wrong one' }));
    expect([wrong.exit, wrong.repository]).toMatchObject([
      4,
      [{ message: expect.stringMatching(/password does not open/) }],
    ]);
    const { HOLDFAST_PASSWORD: _, ...without } = environment();
    const absent = await findings(directory, without);
    expect([absent.exit, absent.repository]).toMatchObject([
      4,
      [{ message: expect.stringMatching(/HOLDFAST_PASSWORD/) }],
    ]);
  });

  it('looks for a database where the plan has it while its repository cannot be opened', async () => {
    const directory = scratchDirectory();
    writePlan(directory, '  db: { type: postgres, url: { env: DATABASE_URL } }');
    const { HOLDFAST_PASSWORD: _, ...without } = environment();
    const { repository, source } = await findings(directory, without);
    expect(repository).toMatchObject([{ message: expect.stringContaining('HOLDFAST_PASSWORD') }]);
    expect(source).toMatchObject([{ about: 'url', message: 'the environment variable DATABASE_URL is not set' }]);
  });

  it('names a repository that cannot be written to', async (context) => {
    skipWithout(context, 'immutable');
    const directory = prepared();
    await initialise(directory);
    const locks = join(directory, 'repository', 'locks');
    mkdirSync(locks, { recursive: true });
    execFileSync('chattr', ['+i', locks]);
    onTestFinished(() => void execFileSync('chattr', ['-i', locks]));
    const { exit, repository } = await findings(directory);
    expect(exit).toBe(4);
    expect(repository).toMatchObject([
      { level: 'ok' },
      { level: 'missing', about: 'writing', message: expect.stringMatching(/^cannot write locks\//) },
    ]);
    execFileSync('chattr', ['-i', locks]);
    expect((await findings(directory)).exit).toBe(0);
  });

  it('names paths that are not there and links, and goes on with what is', async () => {
    const directory = prepared();
    await initialise(directory);
    const [data, gone, link] = ['data', 'gone', 'link'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    writePlan(directory, `  files: { type: files, paths: [${data}, ${gone}, ${link}] }`);
    const { exit, source } = await findings(directory);
    expect(exit).toBe(4);
    expect(source).toMatchObject([
      { level: 'ok', about: data },
      { level: 'missing', about: gone, message: 'does not exist' },
      { level: 'missing', about: link, mend: { place: 'plan', lines: [`- ${JSON.stringify(data)}`] } },
    ]);
    rmSync(link);
    expect((await findings(directory)).source).toHaveLength(3);
  });

  it('looks at the sources that are named, and refuses an unknown one', async () => {
    const directory = prepared();
    await initialise(directory);
    const data = join(directory, 'data');
    writePlan(directory, `  one: { type: files, paths: [${data}] }\n  other: { type: files, paths: [/nowhere] }`);
    const one = await holdfast(directory, ['doctor', 'one', '--json']);
    expect([one.exit, document(one).sources]).toMatchObject([0, [{ source: 'one' }]]);
    expect((await holdfast(directory, ['doctor', '--json'])).exit).toBe(4);
    expect((await holdfast(directory, ['doctor', 'neither'])).exit).toBe(2);
  });
});
