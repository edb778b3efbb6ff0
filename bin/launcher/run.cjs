'use strict';

/** Runs Holdfast in this process, which is Node 24 or newer. */

const { statSync } = require('node:fs');
const module_ = require('node:module');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const v8 = require('node:v8');
const { isBuiltOfPresent } = require('./built.cjs');
const { complainOfDependencies, isCheckout, root } = require('./complain.cjs');
const { hideExperimentalWarnings } = require('./warnings.cjs');

function run() {
  hideExperimentalWarnings();
  // Before any WebAssembly is loaded; src/foundation/threads.ts says why.
  v8.setFlagsFromString('--wasm-wrapper-tiering-budget=2147483647');
  // The heap doubles before it is collected, instead of growing up to four times: 25 MB less, at no cost that shows.
  v8.setFlagsFromString('--heap-growing-percent=100');
  cacheCompiledCode();
  if (process.env.HOLDFAST_LAUNCHER_FD) require('./follow-launcher.cjs').followLauncher();
  import(pathToFileURL(mainModule()).href).catch((error) => {
    if (isMissingPackage(error)) complainOfDependencies();
    throw error;
  });
}

/** What was built, unless the sources beside it have changed since. */
function mainModule() {
  return isCheckout() && !isBuiltOfPresent(root)
    ? join(root, 'src', 'main', 'main.ts')
    : join(root, 'dist', 'main', 'main.js');
}

/**
 * Compiled code is kept in the user's own cache. Node's default is the shared temporary directory, where somebody else
 * could lay code for a Holdfast that runs as root.
 */
function cacheCompiledCode() {
  const home = process.env.HOME;
  const directory = process.env.XDG_CACHE_HOME || (home && join(home, '.cache'));
  if (!directory?.startsWith('/') || !isOurs(process.env.XDG_CACHE_HOME || home)) return;
  module_.enableCompileCache(join(directory, 'holdfast', 'compiled'));
}

/** Whether a directory belongs to the user that runs this: with sudo, HOME may be somebody else's. */
function isOurs(directory) {
  const status = statSync(directory, { throwIfNoEntry: false });
  return status !== undefined && status.uid === process.getuid?.();
}

function isMissingPackage(error) {
  return error?.code === 'ERR_MODULE_NOT_FOUND' && String(error.message).startsWith('Cannot find package');
}

module.exports = { run };
