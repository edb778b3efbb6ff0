'use strict';

/** Whether dist/ was built of the files as they are: what was built starts in two thirds of the time of the sources. */

const { readFileSync, statSync } = require('node:fs');
const { join } = require('node:path');

/** Written last by scripts/build.mjs: each file that it depends on, with its time of change and its size. */
const RECORD = join('dist', 'built-of.json');

/** What tells a file from what it was, without reading it. Undefined where there is none. */
function stateOf(path) {
  const status = statSync(path, { throwIfNoEntry: false });
  return status && [status.mtimeMs, status.size];
}

/** Whether no file that it depends on has changed since. */
function isBuiltOfPresent(root) {
  let built;
  try {
    built = JSON.parse(readFileSync(join(root, RECORD), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return false;
    throw error;
  }
  return Object.entries(built).every(([path, [modifiedMs, size]]) => {
    const state = stateOf(`${root}/${path}`);
    return state !== undefined && state[0] === modifiedMs && state[1] === size;
  });
}

module.exports = { RECORD, isBuiltOfPresent, stateOf };
