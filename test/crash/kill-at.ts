/**
 * Loaded into a command before its own code, by NODE_OPTIONS: ends the whole process with SIGKILL at a change of a repository
 * that is named by its number, which no timer could hit. Of what lies below HOLDFAST_KILL_BELOW, each object that is put or
 * removed is a change.
 *
 * HOLDFAST_KILL_AT: `before 7` or `after 7`; nothing is killed without it. HOLDFAST_KILL_NOTE: a file that then says which
 * change it was, such as `before put index`; or of a process that came to its end how many changes it made.
 */

import { writeFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { relative } from 'node:path';
import { isMainThread } from 'node:worker_threads';

const below = process.env['HOLDFAST_KILL_BELOW'] ?? '';
const note = process.env['HOLDFAST_KILL_NOTE'] ?? '';
const [when, number] = (process.env['HOLDFAST_KILL_AT'] ?? '').split(' ');
let changes = 0;

/** `index` of `main/index/3fa8…`, `holdfast/prune` of what is Holdfast's own; undefined for what is in no repository. */
function kindOf(path: string): string | undefined {
  const [repository = '', kind = '', more] = relative(below, path).split('/');
  if (repository === '..' || kind === '' || kind.startsWith('.')) return undefined;
  return kind === 'holdfast' ? `${kind}/${more}` : kind;
}

async function change<T>(what: string, path: string, work: () => Promise<T>): Promise<T> {
  const kind = kindOf(path);
  if (kind === undefined) return work();
  const isIt = ++changes === Number(number);
  if (isIt && when === 'before') die(`before ${what} ${kind}`);
  const done = await work();
  if (isIt) die(`after ${what} ${kind}`);
  return done;
}

function die(instant: string): void {
  writeFileSync(note, instant);
  process.kill(process.pid, 'SIGKILL');
}

if (isMainThread && below !== '') {
  const { rename, link, unlink } = promises;
  promises.rename = (from, to) => change('put', String(to), () => rename(from, to));
  promises.link = (from, to) => change('put', String(to), () => link(from, to));
  promises.unlink = (path) => change('delete', String(path), () => unlink(path));
  syncBuiltinESMExports();
  process.on('exit', () => writeFileSync(note, String(changes)));
}
