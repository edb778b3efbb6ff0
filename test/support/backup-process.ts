/**
 * A backup of a directory in a process of its own, which can be killed or belong to another user. Arguments: repository and
 * directory; the password is in HOLDFAST_TEST_PASSWORD. Says `opened`, and then `saved` with what it made.
 */

import { openRepository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { backUpFiles } from './files-backup.ts';

const [directory = '', source = ''] = process.argv.slice(2);
const repository = await openRepository(createLocalStore(directory), process.env['HOLDFAST_TEST_PASSWORD'] ?? '');
process.stdout.write('opened\n');
const { id, problems } = await backUpFiles(repository, [source]);
const told = problems.map(({ item, error: { code } }) => ({ item, code }));
process.stdout.write(`saved ${JSON.stringify({ id, problems: told })}\n`);
