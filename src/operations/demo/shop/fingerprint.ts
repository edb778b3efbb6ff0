/**
 * The demo's oracle: what a database and a directory hold, as short texts by name, taken without anything of Holdfast's
 * own backup, restore or validation. Two fingerprints that are the same mean that nothing was lost.
 */

export {
  compareFingerprints,
  type DatabaseFingerprint,
  type Difference,
  type DirectoryFingerprint,
} from './compare.ts';
export { fingerprintDatabase } from './database-fingerprint.ts';
export { fingerprintDirectory } from './directory-fingerprint.ts';
