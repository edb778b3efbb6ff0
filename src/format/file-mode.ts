/**
 * Go's FileMode, which restic's trees hold, and the system's `st_mode`.
 * Source: Go's package io/fs, "FileMode"; inode(7).
 */

const GO = {
  dir: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  pipe: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  charDevice: 2 ** 21,
  sticky: 2 ** 20,
};
const SYSTEM_TYPE = {
  mask: 0o170000,
  socket: 0o140000,
  symlink: 0o120000,
  block: 0o060000,
  dir: 0o040000,
  char: 0o020000,
  pipe: 0o010000,
};

function goTypeBits(systemMode: number): number {
  switch (systemMode & SYSTEM_TYPE.mask) {
    case SYSTEM_TYPE.dir:
      return GO.dir;
    case SYSTEM_TYPE.symlink:
      return GO.symlink;
    case SYSTEM_TYPE.block:
      return GO.device;
    case SYSTEM_TYPE.char:
      return GO.device + GO.charDevice;
    case SYSTEM_TYPE.pipe:
      return GO.pipe;
    case SYSTEM_TYPE.socket:
      return GO.socket;
    default:
      return 0;
  }
}

/** Go's FileMode for a system's `st_mode`. */
export function goMode(systemMode: number): number {
  const special =
    (systemMode & 0o4000 ? GO.setuid : 0) +
    (systemMode & 0o2000 ? GO.setgid : 0) +
    (systemMode & 0o1000 ? GO.sticky : 0);
  return goTypeBits(systemMode) + special + (systemMode & 0o777);
}

/** The permission bits of a system (0o7777) for Go's FileMode. */
export function systemPermissions(mode: number): number {
  // A FileMode has 32 bits: JavaScript's bit operators would take bit 31 for a sign, so the high ones are divided out.
  const has = (bit: number): boolean => Math.floor(mode / bit) % 2 === 1;
  return (
    (mode % 0o1000) + (has(GO.setuid) ? 0o4000 : 0) + (has(GO.setgid) ? 0o2000 : 0) + (has(GO.sticky) ? 0o1000 : 0)
  );
}
