/**
 * Builds dist/: the sources as JavaScript, many modules in one file, because a short command spends most of its time on
 * finding and linking modules; and the files that they read at run time, at the places where they look for them.
 *
 * Types are the type check's to judge.
 */

import { cpSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, posix } from 'node:path';
import { rolldown } from 'rolldown';
import { root } from './node24.mjs';

const { RECORD, stateOf } = createRequire(import.meta.url)('../bin/launcher/built.cjs');

/** What the sources start by its file name. */
const MAIN = 'src/main/main.ts';
const THREADS = 'src/**/worker.ts';

/** What every command loads, but for a few that need no plan. */
const EVERY_COMMAND = [MAIN, 'src/operations/index.ts', 'src/plan/index.ts'];

/** What stands beside the sources because it is not TypeScript. */
const ASSETS = 'src/**/*.{sql,sh,md,wasm,json,yaml,html,css,conf}';

/** These bring native code, or read files of their own packages at run time. All others become part of what is built. */
const LEFT_APART =
  /^(sodium-native|koffi|@parcel\/watcher|@google-cloud\/.*|@grpc\/.*|pg|pino|nodemailer|prom-client)$/;

const PACKAGE = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/;

/** To import `node:http` reads all that it exports, for which Node loads all of `fetch` and WebSocket: 25 ms, for two names. */
const FRUGAL_HTTP = '\0frugal-http';

process.chdir(root);
/** Built aside: who starts Holdfast meanwhile finds all of the old, or all of the new. */
const aside = `dist.${process.pid}`;
try {
  const packages = await buildInto(aside);
  const assets = globSync(ASSETS);
  for (const path of assets) cpSync(path, path.replace('src', aside), { recursive: true });
  writeFileSync(join(aside, 'LICENSES.md'), licensesOf(packages));
  const sources = globSync('src/**/*.ts', { exclude: ['**/*.test.ts'] });
  writeRecord([...sources, ...assets, 'package.json', 'package-lock.json', 'scripts/build.mjs']);
  rmSync('dist', { recursive: true, force: true });
  renameSync(aside, 'dist');
} finally {
  rmSync(aside, { recursive: true, force: true });
}

/** @returns the directories of the packages that became part of it */
async function buildInto(directory) {
  const entries = globSync([MAIN, THREADS]).map((path) => [path.replace(/^src\/|\.ts$/g, ''), `./${path}`]);
  const bundle = await rolldown({
    input: Object.fromEntries(entries),
    platform: 'node',
    external: LEFT_APART,
    // As groups of modules demand.
    preserveEntrySignatures: 'allow-extension',
    plugins: [
      { name: 'places', transform: nameItsPlace, renderChunk: findPlaces },
      { name: 'frugal-http', resolveId: findFrugalHttp, load: loadFrugalHttp },
      { name: 'own-messages', load: loadLocales },
    ],
    // Some commands load late what others load at once, as it should be.
    checks: { ineffectiveDynamicImport: false },
  });
  const { output } = await bundle.write({
    dir: directory,
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    comments: false,
    codeSplitting: groupsOfModules(),
  });
  const modules = output.flatMap(({ moduleIds = [] }) => moduleIds);
  return new Set(modules.flatMap((id) => PACKAGE.exec(id)?.[0] ?? []));
}

/**
 * Groups of modules that are one file each: what every command loads, by layer or package, and apart from it what threads
 * load as well. Left to itself, rolldown makes a file for each set of commands that share something, 70 for one to load.
 */
function groupsOfModules() {
  let always;
  let inThreads;
  const name = (id, modules) => {
    always ??= reachedFrom(EVERY_COMMAND, modules);
    if (!always.has(id)) return null;
    inThreads ??= reachedFrom(globSync(THREADS), modules);
    return `${layerOrPackageOf(id)}${inThreads.has(id) ? '-of-threads' : ''}`;
  };
  return { groups: [{ name, debugName: 'layers' }], includeDependenciesRecursively: false };
}

function layerOrPackageOf(id) {
  const path = posix.relative(root, id);
  return path.startsWith('src/') ? path.split('/')[1] : basename(PACKAGE.exec(id)?.[0] ?? '');
}

/** The modules at these paths and all that they import at once, by their ids. */
function reachedFrom(paths, modules) {
  const ids = new Set(paths.map((path) => join(root, path)));
  for (const id of ids) for (const imported of modules.getModuleInfo(id)?.importedIds ?? []) ids.add(imported);
  return ids;
}

/** A module that looks for a file beside it finds it where the module would lie, had it a file of its own. */
function nameItsPlace(code, id) {
  const path = posix.relative(root, id);
  if (!path.startsWith('src/') || !code.includes('import.meta.url')) return null;
  const place = path.replace(/^src/, 'PLACE').replace(/\.ts$/, '.js');
  return code.replaceAll('import.meta.url', `new URL('${place}', import.meta.url).href`);
}

function findPlaces(code, { fileName }) {
  const up = posix.relative(dirname(fileName), '.') || '.';
  return code.replaceAll(/(new URL\(['"])PLACE\//g, `$1${up}/`);
}

function findFrugalHttp(id) {
  return id === 'node:http' || id === 'http' ? FRUGAL_HTTP : null;
}

function loadFrugalHttp(id) {
  if (id !== FRUGAL_HTTP) return null;
  return `const http = process.getBuiltinModule('node:http');
export default http;
export const { Agent, IncomingMessage, METHODS, STATUS_CODES, Server, ServerResponse, createServer, request } = http;`;
}

/** zod's messages in fifty languages, of which it takes one, are nearly half of it: a thirtieth of what a short command takes. */
function loadLocales(id) {
  return id.endsWith('/zod/v4/locales/index.js') ? `export { default as en } from './en.js';` : null;
}

/** What the licences of packages ask of who passes them on. */
function licensesOf(packages) {
  const parts = [...packages].sort().map((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
    const [file] = globSync(`${path}/{LICENSE,LICENCE,license,License}*`);
    return `## ${name} ${version} (${license})\n\n${file === undefined ? '' : readFileSync(file, 'utf8').trim()}\n`;
  });
  return `# What is built into Holdfast, and its licences\n\n${parts.join('\n')}`;
}

/** Of each file that what is built depends on: it comes with what is built, or not at all. */
function writeRecord(paths) {
  const states = Object.fromEntries(paths.map((path) => [path, stateOf(path)]));
  writeFileSync(RECORD.replace('dist', aside), JSON.stringify(states));
}
