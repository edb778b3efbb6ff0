/** A backup of one directory in a process of its own, so that it can be killed: REPOSITORY DIRECTORY, password in HOLDFAST_TEST_PASSWORD. */

import { openRepository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { backUpFiles } from '../support/files-backup.ts';

const [directory = '', source = ''] = process.argv.slice(2);
const repository = await openRepository(createLocalStore(directory), process.env['HOLDFAST_TEST_PASSWORD'] ?? '');
process.stdout.write('opened\n');
const { id } = await backUpFiles(repository, [source]);
process.stdout.write(`saved ${id}\n`);
