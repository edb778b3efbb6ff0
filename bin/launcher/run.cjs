'use strict';

/** Runs Holdfast in this process, which is Node 24 or newer. */

const { mkdirSync, statSync } = require('node:fs');
const module_ = require('node:module');
const { dirname, join } = require('node:path');
const { pathToFileURL } = require('node:url');
const v8 = require('node:v8');
const { isBuiltOfPresent } = require('./built.cjs');
const { complainOfDependencies, isCheckout, root } = require('./complain.cjs');
const { boundGrowth } = require('./engine.cjs');
const { hideExperimentalWarnings } = require('./warnings.cjs');

function run() {
  if (process.env.HOLDFAST_OWN_ARENAS) forgetOwnArenas();
  hideExperimentalWarnings();
  boundGrowth();
  const main = mainModule();
  // Before any WebAssembly is loaded; src/foundation/threads.ts says why.
  if (main.endsWith('.ts')) v8.setFlagsFromString('--wasm-wrapper-tiering-budget=2147483647');
  cacheCompiledCode();
  if (process.env.HOLDFAST_LAUNCHER_FD) require('./follow-launcher.cjs').followLauncher();
  import(pathToFileURL(main).href).catch((error) => {
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

/** The C library has read it by now. What the user set himself has no mark, and stays for the programs that are started. */
function forgetOwnArenas() {
  delete process.env.MALLOC_ARENA_MAX;
  delete process.env.HOLDFAST_OWN_ARENAS;
}

/**
 * Compiled code is kept in the user's own cache. Node's default is the shared temporary directory, where somebody else
 * could lay code for a Holdfast that runs as root.
 */
function cacheCompiledCode() {
  const home = process.env.HOME;
  const directory = process.env.XDG_CACHE_HOME || (home && join(home, '.cache'));
  if (!directory?.startsWith('/') || !isOurs(process.env.XDG_CACHE_HOME || home)) return;
  const compiled = join(directory, 'holdfast', 'compiled');
  if (makeDirectories([directory, dirname(compiled), compiled])) module_.enableCompileCache(compiled);
}

/** Whether each is there afterwards. Node makes what is missing by itself, and never ends where nothing can be made, as in /proc. */
function makeDirectories(directories) {
  return directories.every((directory) => {
    try {
      mkdirSync(directory, { mode: 0o700 });
      return true;
    } catch (error) {
      return error.code === 'EEXIST';
    }
  });
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
