/** Makes a data directory a standby, in a process that is killed in the middle. Arguments: the directory, whom it is to follow. */
import { postgresFailover } from '../../src/source/postgres/failover/index.ts';

const [directory = '', fromUrl = ''] = process.argv.slice(2);
const { signal } = new AbortController();
await postgresFailover.reseed({ directory, fromUrl, slot: 'back', signal, tell: () => {} });
