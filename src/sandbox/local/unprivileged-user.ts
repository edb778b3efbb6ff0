import { readFile, stat } from 'node:fs/promises';
import { HoldfastError } from '../../foundation/errors.ts';

export interface SystemUser {
  name: string;
  uid: number;
  gid: number;
}

/**
 * Who a sandbox's server runs as: nobody, when this process is root, since PostgreSQL refuses root. Never `postgres`,
 * whom a living cluster on this machine may let in without a password.
 * @returns undefined where the server can run as this process's own user
 * @throws sandbox-failed when the system has no such user
 */
export async function sandboxUser(passwdPath: string = '/etc/passwd'): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = await readFile(passwdPath, 'utf8');
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'nobody');
  const uid = Number(fields?.[2] ?? Number.NaN);
  const gid = Number(fields?.[3] ?? Number.NaN);
  // Some systems write nobody's id as -2.
  if (Number.isInteger(uid) && Number.isInteger(gid) && uid !== 0)
    return { name: 'nobody', uid: uid >>> 0, gid: gid >>> 0 };
  throw new HoldfastError('sandbox-failed', 'a sandbox server cannot run as root, and there is no user nobody', {
    hint: 'Run holdfast as an ordinary user, or create the user nobody.',
    context: { passwdPath },
  });
}

/**
 * Who a server on this data directory runs as: its owner, as PostgreSQL demands.
 * @returns undefined where that is this process's own user
 * @throws target-unsuitable when it is root's, or somebody else's whom only root can be
 */
export async function ownerOf(dataDirectory: string): Promise<SystemUser | undefined> {
  const { uid, gid } = await stat(dataDirectory);
  if (uid !== 0 && uid === process.getuid?.()) return undefined;
  if (uid !== 0 && process.getuid?.() === 0) return { name: `the user ${uid}`, uid, gid };
  throw new HoldfastError(
    'target-unsuitable',
    `no server can be started on ${dataDirectory}, which belongs to the user ${uid}`,
    {
      hint: uid === 0 ? 'Run holdfast as the user whose server it will be.' : 'Run holdfast as that user, or as root.',
      context: { directory: dataDirectory, uid },
    },
  );
}
