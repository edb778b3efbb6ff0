/**
 * A restore that replaces its target in a process of its own, which can be killed. Arguments: repository and target; the
 * password is in HOLDFAST_TEST_PASSWORD. Says `opened`, and then `replaced`.
 */

import { openRepository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { restoreFiles } from './files-backup.ts';

const [directory = '', target = ''] = process.argv.slice(2);
const repository = await openRepository(createLocalStore(directory), process.env['HOLDFAST_TEST_PASSWORD'] ?? '');
process.stdout.write('opened\n');
await restoreFiles(repository, target, undefined, { replace: true });
process.stdout.write('replaced\n');
