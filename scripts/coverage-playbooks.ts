/**
 * Whether all that the playbooks say is answered: `npm run coverage:playbooks [-- DIRECTORY]`. Fails on any gap, and
 * names it. Without a directory they are looked for beside the checkout; where they are not, only targets are looked up.
 */

import { join, resolve } from 'node:path';
import { readAndCheck } from './playbooks/read.ts';

const root = join(import.meta.dirname, '..');
const given = process.argv[2];
const directory = resolve(given ?? join(root, '..', 'shared', 'playbooks'));
const { entries, units, problems, hasPlaybooks } = readAndCheck(root, directory);
if (!hasPlaybooks && given !== undefined) problems.push(`there is no directory ${directory}`);

for (const problem of problems) console.log(problem);
const answered = hasPlaybooks
  ? `${units} units of the playbooks, held against ${entries} entries`
  : `the playbooks are not there: only that what ${entries} entries point at exists was looked at`;
console.log(`coverage: ${problems.length === 0 ? 'no gap' : `${problems.length} to put right`}; ${answered}`);
if (problems.length > 0) process.exitCode = 1;
