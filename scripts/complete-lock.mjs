/**
 * Completes package-lock.json with the packages for other platforms: `npm run lock`, after a dependency has changed.
 *
 * A registry need not hold every platform's packages. npm then leaves them out of the lock file, refuses it with `npm ci`,
 * and would install nothing for those platforms. Their names and versions are known all the same, from the packages that
 * ask for them.
 */

import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const added = Object.entries(lock.packages).flatMap(([path, entry]) =>
  Object.entries(entry.optionalDependencies ?? {})
    .filter(([name]) => !isThere(path, name))
    .map(([name, version]) => add(name, version, entry.dev)),
);
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => Number(b === '') - Number(a === '') || a.localeCompare(b, 'en')),
);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
for (const name of added) console.log(`package-lock.json: added ${name}`);

/** Whether Node would find the package `name` from the package at `path`. */
function isThere(path, name) {
  const at = `${path === '' ? '' : `${path}/`}node_modules/${name}`;
  if (lock.packages[at]?.version) return true;
  const parent = path.lastIndexOf('/node_modules/');
  return path === '' ? false : isThere(parent < 0 ? '' : path.slice(0, parent), name);
}

function add(name, version, dev) {
  if (!/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
    throw new Error(`${name} is asked for as ${version}: add it by hand`);
  lock.packages[`node_modules/${name}`] = { version, optional: true, ...(dev ? { dev } : {}), ...platformOf(name) };
  return `${name} ${version}`;
}

/** Such packages have their platform in their name. Without `os` and `cpu`, npm would ask for them everywhere. */
function platformOf(name) {
  const cpu = /[-_](arm64|arm|x64|ia32|ppc64|riscv64|s390x|loong64|wasm32)(?![a-z0-9])/.exec(name)?.[1];
  const os = /[-_/](android|darwin|freebsd|linux|openharmony|win32)(?![a-z0-9])/.exec(name)?.[1];
  const libc = /gnu|musl/.exec(name)?.[0];
  if (cpu === undefined || (os === undefined && cpu !== 'wasm32')) throw new Error(`no platform in the name ${name}`);
  return {
    ...(os ? { os: [os] } : {}),
    cpu: [cpu],
    ...(os === 'linux' && libc ? { libc: [libc === 'gnu' ? 'glibc' : 'musl'] } : {}),
  };
}
