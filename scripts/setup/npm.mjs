/** The npm dependencies: installed when missing or not those of package-lock.json. */

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { runVisibly } from './run.mjs';

/** Installs what package-lock.json names, unless it is there. */
export function installNpmDependencies(root) {
  const lockText = readFileSync(new URL('package-lock.json', root), 'utf8');
  const wanted = stampOf(lockText);
  const stamp = new URL('node_modules/.holdfast-setup', root);
  if (readIfThere(stamp) === wanted) return;
  if (!isInstalled(JSON.parse(lockText).packages, root)) {
    // No install scripts: every dependency brings its binaries in its package, and none needs to run code to be ready.
    try {
      runVisibly('npm dependencies', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: root });
    } catch (error) {
      const hint = 'where npm says that package-lock.json lacks packages, "npm run lock" completes it';
      throw new Error(`${error.message}; ${hint}`, { cause: error });
    }
  }
  writeFileSync(stamp, wanted);
}

function stampOf(lockText) {
  return createHash('sha256').update(`${process.platform}-${process.arch}\n${lockText}`).digest('hex');
}

function readIfThere(url) {
  try {
    return readFileSync(url, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Whether node_modules already holds what the lock file names. npm writes down what it installed when it has finished,
 * so an install that broke off is not taken for one. Without this, a person who has just run `npm install` would see
 * everything installed a second time.
 */
function isInstalled(wanted, root) {
  const text = readIfThere(new URL('node_modules/.package-lock.json', root));
  if (text === undefined) return false;
  const present = JSON.parse(text).packages;
  const isRight = ([path, entry]) =>
    path === '' || (present[path] ? present[path].integrity === entry.integrity : mayBeMissing(entry));
  return Object.entries(wanted).every(isRight) && Object.keys(present).every((path) => path in wanted);
}

/** npm leaves out the optional packages of other platforms, and what only those need. */
function mayBeMissing({ optional, os, cpu, libc }) {
  const isForThisPlatform = os?.includes(process.platform) && cpu?.includes(process.arch) && libc === undefined;
  return optional === true && !isForThisPlatform;
}
