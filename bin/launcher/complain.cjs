'use strict';

/** What to say when Holdfast cannot start, and how to put it right. */

const { existsSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..', '..');

/** Whether this is a checkout, which runs from source, and not an installed package. */
function isCheckout() {
  return existsSync(join(root, 'src', 'main', 'main.ts'));
}

/** Ends the process with one sentence on standard error. */
function complain(sentence) {
  process.stderr.write(`holdfast: ${sentence}\n`);
  process.exit(1);
}

/** Ends the process because the dependencies are not there. */
function complainOfDependencies() {
  const remedy = isCheckout()
    ? `run "npm run setup" in ${root}`
    : 'install the package again, with its optional dependencies: npm install holdfast';
  complain(`its dependencies are not installed; ${remedy}`);
}

module.exports = { complain, complainOfDependencies, isCheckout, root };
