import { execFile } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { addFile, copyOfProject, fixtureTree, projectRoot } from './fixture-tree.ts';

/** A small tree in which every import goes the right way. */
const GOOD = {
  'src/foundation/clock.ts': 'export const now = 1;\n',
  'src/store/index.ts': "export { store } from './store.ts';\n",
  'src/store/store.ts': "import { now } from '../foundation/clock.ts';\nexport const store = now;\n",
  'src/store/local/index.ts': "export { local } from './local.ts';\n",
  'src/store/local/local.ts': "import { store } from '../store.ts';\nexport const local = store;\n",
  'src/store/memory/index.ts': 'export const memory = 1;\n',
  'src/store/local/local.test.ts':
    "import { memory } from '../memory/index.ts';\nimport '../../cli/index.ts';\nmemory;\n",
  'src/plan/index.ts': 'export const plan = 1;\n',
  'src/cli/index.ts': "export { cli } from './cli.ts';\n",
  'src/cli/cli.ts': "import { store } from '../store/index.ts';\nexport const cli = store;\n",
  'src/cli/cli.test.ts': "import './cli.ts';\n",
  'src/main/main.ts':
    "import { cli } from '../cli/index.ts';\ncli;\nexport const open = () => import('../store/local/index.ts');\n",
};

const BAD: [rule: string, what: string, path: string, text: string][] = [
  ['store-imports-nothing-above', 'an import against the arrow', 'src/store/up.ts', "import '../cli/index.ts';\n"],
  [
    'foundation-imports-nothing-above',
    'an import of a type against the arrow',
    'src/foundation/up.ts',
    "import type { plan } from '../plan/index.ts';\nexport type P = typeof plan;\n",
  ],
  [
    'plan-imports-nothing-above',
    'a lazy import against the arrow',
    'src/plan/up.ts',
    "export const run = () => import('../cli/index.ts');\n",
  ],
  ['store-imports-nothing-beside', 'an import sideways', 'src/store/beside.ts', "import '../plan/index.ts';\n"],
  ['only-through-index', 'an import past an index', 'src/cli/past.ts', "import '../store/store.ts';\n"],
  ['adapters-known-to-main-alone', 'an adapter in cli', 'src/cli/knows.ts', "import '../store/local/index.ts';\n"],
  ['adapters-known-to-main-alone', 'an adapter in its layer', 'src/store/all.ts', "import './local/index.ts';\n"],
  [
    'adapter-imports-no-other-adapter',
    'an adapter in another',
    'src/store/local/other.ts',
    "import '../memory/index.ts';\n",
  ],
  ['adapter-only-through-index', 'main past an index', 'src/main/past.ts', "import '../store/local/local.ts';\n"],
  ['only-known-layers', 'a folder that is no layer', 'src/main/odd.ts', "import '../helpers/index.ts';\n"],
  ['product-imports-no-tests', 'a test in the product', 'src/cli/test.ts', "import './cli.test.ts';\n"],
  ['every-import-resolves', 'a file that is not there', 'src/cli/gone.ts', "import './nowhere.ts';\n"],
  ['no-cycles', 'a cycle', 'src/plan/index.ts', "export * from './other.ts';\nexport const plan = 1;\n"],
];

describe('the layers, as npm run lint keeps them', () => {
  it('is what npm run lint runs', () => {
    const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts['lint']).toBe('node scripts/lint.mjs');
  });

  it('passes a tree in which all is right', async () => {
    expect(await lint(goodTree())).toEqual({ code: 0, output: expect.stringContaining('no dependency violations') });
  });

  describe('of a tree with one file against each', () => {
    let linted: { code: number; findings: string[] };

    beforeAll(async () => {
      const root = goodTree();
      addFile(root, 'src/helpers/index.ts', 'export const helper = 1;\n');
      addFile(root, 'src/plan/other.ts', "import { plan } from './index.ts';\nexport const other = () => plan;\n");
      for (const [, , path, text] of BAD) addFile(root, path, text);
      const { code, output } = await lint(root);
      linted = { code, findings: output.match(/error [\w-]+: \S+ → /g) ?? [] };
    });

    it.each(BAD)('%s: %s', (rule, _what, path) => {
      expect(linted.findings.filter((finding) => finding === `error ${rule}: ${path} → `)).toHaveLength(1);
    });

    it("fails, and finds each once: the rules do not get in each other's way", () => {
      expect(linted.code).toBe(1);
      expect(linted.findings).toHaveLength(BAD.length);
    });
  });

  it('sees one bad file among the real ones', async () => {
    const root = copyOfProject('src', 'tsconfig.json');
    addFile(root, 'src/foundation/bad.ts', "export * from '../repository/index.ts';\n");
    const { code, output } = await lint(root);
    expect(code).toBe(1);
    expect(output).toContain('foundation-imports-nothing-above: src/foundation/bad.ts → src/repository/index.ts');
  });
});

function goodTree(): string {
  const root = fixtureTree(GOOD);
  copyFileSync(join(projectRoot, 'tsconfig.json'), join(root, 'tsconfig.json'));
  return root;
}

function lint(root: string): Promise<{ code: number; output: string }> {
  const args = [join(projectRoot, 'scripts', 'lint.mjs'), '--root', root, 'layers'];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env: { ...process.env, NO_COLOR: '1' } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: stdout + stderr });
    });
  });
}
