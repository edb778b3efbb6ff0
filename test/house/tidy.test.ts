import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkCommands } from '../../scripts/tidy/markdown.ts';
import { fixtureTree, projectRoot } from './fixture-tree.ts';

/** Put together here, so that this file has none of what it plants. */
const joined = (...parts: string[]) => parts.join('');
const SWALLOW = joined('.catch(() ', '=> {});');
const long = (lines: number) => 'f();\n'.repeat(lines);

const PLANTED: [what: string, path: string, text: string, line: number, finding: string][] = [
  ['an address in the lock file', 'package-lock.json', '{\n "resolved": "https://a.example/b.tgz"\n}', 2, 'an address'],
  ['a loose version', 'package.json', '{\n "dependencies": {\n "a": "^1.0.0"\n}}\n', 3, 'a is asked for as "^1.0.0"'],
  ['a path of a machine', 'a.md', `\nSee ${joined('/ho', 'me/ann/x')}.\n`, 2, "a path of somebody's machine"],
  ['a path outside', 'a.md', `See ${joined('../sha', 'red/x')}.\n`, 1, 'a path outside of the project'],
  ['a registry', 'a.sh', `curl https://${joined('regis', 'try.packages.org')}\n`, 1, "a package registry's host"],
  ['unfinished work', 'a.ts', `// ${joined('TO', 'DO')} later\n`, 1, 'unfinished work'],
  ['a focused test', 'a.test.ts', `\n\n${joined('it.on', 'ly')}('x', f);\n`, 3, 'a focused test'],
  ['a long file', 'a.ts', long(501), 1, '501 lines, over 500'],
  ['a long function', 'a.ts', `\nfunction f() {\n${long(79)}}\n`, 2, 'a function of 81 lines'],
  ['trailing spaces', 'a.sql', 'select 1; \n', 1, 'trailing spaces'],
  ['no final newline', 'a.yaml', 'a: 1\nb: 2', 2, 'no newline at the end'],
  ['a link to no file', 'docs/a.md', '[x](../a.md)\n[y](../gone.md)\n', 1, 'a link to ../a.md'],
  ['a link to no heading', 'a.md', '# One\n\n[x](#one) [y](#two)\n', 3, 'a link to #two'],
  ['an empty catch block', 'a.ts', 'try {\n  f();\n} catch {\n  // why not\n}\n', 3, 'an empty catch block'],
  ['a rejection thrown away', 'a.ts', `f()${SWALLOW}\n`, 1, 'a rejection thrown away'],
  ['the same by then', 'a.ts', 'f().then(g, () => undefined);\n', 1, 'a rejection thrown away'],
];

describe('npm run tidy', () => {
  it('has nothing to say about a tidy tree', () => {
    const root = fixtureTree({
      'README.md': '# Top of it\n\n[up](#top-of-it) [code](src/a.ts) [web](https://holdfast.example)\n`[no](link)`\n',
      'src/a.ts': `${long(500)}`,
      'src/a.test.ts': `it('x', () => {\n${long(600)}});\n`,
      'src/b.ts': `// tidy-allow: the caller waits for it too\nf()${SWALLOW}\nf().catch((error) => log(error));\n`,
      'test/fixtures/odd.txt': 'as it came \nno newline',
    });
    expect(tidy(root)).toEqual({ code: 0, output: '' });
  });

  it.each(PLANTED)('finds %s', (_what, path, text, line, finding) => {
    const { code, output } = tidy(fixtureTree({ [path]: text }));
    expect(code).toBe(1);
    expect(output.split('\n')[0]).toMatch(new RegExp(`^${path}:${line}: .`));
    expect(output).toContain(`${path}:${line}: ${finding}`);
  });

  it('knows the commands that documents may name, once it is told them', () => {
    const text =
      'Run `holdfast plan check`, `holdfast --json status`, `holdfast plan`, then\n`holdfast explode now`.\n';
    const found = checkCommands({ path: 'README.md', text }, new Set(['plan check', 'status']));
    expect(found).toEqual([{ file: 'README.md', line: 2, message: expect.stringContaining('"explode"') }]);
  });
});

function tidy(root: string): { code: number | null; output: string } {
  const script = join(projectRoot, 'scripts', 'tidy.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, root], { encoding: 'utf8' });
  return { code: status, output: stdout + stderr };
}
