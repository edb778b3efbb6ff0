import { userInfo } from 'node:os';

/** Who runs this process. A user without a name, as containers often have, is called by number; ids are absent on Windows. */
export function currentUser(): { username: string; uid?: number; gid?: number } {
  const uid = process.getuid?.();
  const gid = process.getgid?.();
  const ids = uid === undefined || gid === undefined ? {} : { uid, gid };
  try {
    return { username: userInfo().username, ...ids };
  } catch (error) {
    if (uid === undefined) throw error;
    return { username: String(uid), ...ids };
  }
}
