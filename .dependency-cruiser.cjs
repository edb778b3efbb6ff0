/**
 * The layers of ARCHITECTURE.md as rules. Each rule's comment says what it is for, and is printed with the finding.
 */

/** Top to bottom; the layers of one row stand beside each other. */
const ROWS = [
  ['main'],
  ['cli', 'daemon'],
  ['recovery'],
  ['operations'],
  ['source', 'sandbox', 'alert', 'report', 'dns'],
  ['repository', 'ledger'],
  ['format', 'store', 'plan', 'evidence'],
  ['schedule'],
  ['foundation'],
];

/** Layers whose folders are adapters: implementations of the layer's interface, known to `main` alone. */
const ADAPTER = '^src/(store|source|sandbox|alert|dns)/([^/]+)/';
const TESTS = '[.]test[.]ts$';

const layer = (...names) => `^src/(${names.join('|')})/`;
const product = { path: '^src/', pathNot: TESTS };

function layerRules() {
  return ROWS.flatMap((row, depth) => {
    const above = ROWS.slice(0, depth).flat();
    return row.flatMap((name) => {
      const beside = row.filter((other) => other !== name);
      return [
        forbid(`${name}-imports-nothing-above`, name, above, 'lower layers must make sense, and be tested, without it'),
        forbid(`${name}-imports-nothing-beside`, name, beside, 'what both need belongs in a layer below them'),
      ].filter((rule) => rule !== undefined);
    });
  });
}

function forbid(name, from, to, why) {
  if (to.length === 0) return undefined;
  return {
    name,
    severity: 'error',
    comment: `${from} does not know ${to.join(', ')}: ${why}.`,
    from: { path: layer(from), pathNot: TESTS },
    to: { path: layer(...to) },
  };
}

module.exports = {
  forbidden: [
    ...layerRules(),
    {
      name: 'only-known-layers',
      severity: 'error',
      comment: 'A folder of src/ is a layer: give a new one its row in .dependency-cruiser.cjs and ARCHITECTURE.md.',
      from: {},
      to: { path: '^src/', pathNot: layer(...ROWS.flat()) },
    },
    {
      name: 'only-through-index',
      severity: 'error',
      comment: "Another layer is reached through its index.ts, so that its inside can change without anybody else's.",
      from: { path: '^src/([^/]+)/', pathNot: TESTS },
      to: { path: '^src/', pathNot: ['^src/$1/', '^src/foundation/', '^src/[^/]+/index[.]ts$', ADAPTER] },
    },
    {
      name: 'adapter-only-through-index',
      severity: 'error',
      comment: "main wires adapters through each one's own index.ts, so that its inside can change without main's.",
      from: { path: '^src/main/', pathNot: TESTS },
      to: { path: ADAPTER, pathNot: '/[^/]+/[^/]+/index[.]ts$' },
    },
    {
      name: 'adapters-known-to-main-alone',
      severity: 'error',
      comment: 'Only main knows adapters, and loads the ones a plan uses: everyone else takes the interface.',
      from: { path: '^src/', pathNot: [TESTS, '^src/main/', ADAPTER] },
      to: { path: ADAPTER },
    },
    {
      name: 'adapter-imports-no-other-adapter',
      severity: 'error',
      comment:
        'An adapter can be removed without touching another: what two of them need belongs to their layer or below.',
      from: { path: ADAPTER, pathNot: TESTS },
      to: { path: ADAPTER, pathNot: '^src/$1/$2/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Files in a cycle can only be understood, loaded and tested all at once.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'product-imports-no-tests',
      severity: 'error',
      comment: 'The package has no tests in it, so that code which imports them breaks where it is installed.',
      from: product,
      to: { path: ['^test/', TESTS] },
    },
    {
      name: 'product-imports-no-dashboard',
      severity: 'error',
      comment: 'The dashboard is a package of its own that knows the API and nothing else.',
      from: product,
      to: { path: '^web/' },
    },
    {
      name: 'dashboard-imports-no-product',
      severity: 'error',
      comment: 'The dashboard knows the API and nothing else, like any other client.',
      from: { path: '^web/' },
      to: { path: '^src/' },
    },
    {
      name: 'every-import-resolves',
      severity: 'error',
      comment: 'A file or package that is not there fails only when that line is reached, with a lazy import.',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    // Imports of types hold layers together just as imports of values do.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
