import { displayName } from '../../format/index.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import { type Check, readManifest } from '../index.ts';
import { keyedDigest, storedEntries } from './entries.ts';
import { differencesBetween, readRestored } from './restored-directory.ts';

/** As many differences are named; of the others there is a count. */
const NAMED_DIFFERENCES = 5;

/**
 * Holds a directory that secrets were restored to against the snapshot, byte by byte, and looks at who may read it.
 * @throws repository-damaged, the system's error
 */
export async function validateSecrets(reader: SnapshotReader, directory: string): Promise<Check[]> {
  const [{ entries, salt }, found, { details }] = await Promise.all([
    storedEntries(reader),
    readRestored(directory),
    readManifest(reader),
  ]);
  const differences = differencesBetween(entries, found.contents).map(
    ({ path, kind }) => `${displayName(path)}: ${kind}`,
  );
  const isManifest = keyedDigest(salt, entries) === details['digest'];
  return [
    checkOf('manifest', isManifest ? [] : ['the digest is not that of the manifest']),
    checkOf('contents', differences, `${entries.size} files, all equal`),
    checkOf(
      'permissions',
      found.exposed.map((path) => `${path} can be read by others`),
    ),
  ];
}

function checkOf(name: string, wrong: readonly string[], passed = 'as it should be'): Check {
  const more = wrong.length > NAMED_DIFFERENCES ? `, and ${wrong.length - NAMED_DIFFERENCES} more` : '';
  const isRight = wrong.length === 0;
  const detail = isRight ? passed : `${wrong.slice(0, NAMED_DIFFERENCES).join('; ')}${more}`;
  return { name, result: isRight ? 'passed' : 'failed', detail };
}
