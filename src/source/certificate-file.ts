import { HoldfastError, systemReason } from '../foundation/errors.ts';
import { NoFileError, readGivenFile } from '../foundation/given-file.ts';

/** More than any system's whole list of authorities. */
const LARGEST_BYTES = 4 * 1024 * 1024;

/**
 * What is in a file of certificates, or of a key, that an address names.
 * @param parameter what of the address names it
 * @throws source-refused where it cannot be read
 */
export async function readCertificateFile(path: string, parameter: string): Promise<Buffer> {
  try {
    return await readGivenFile(path, LARGEST_BYTES);
  } catch (cause) {
    const reason = cause instanceof NoFileError ? cause.message : systemReason(cause);
    throw new HoldfastError('source-refused', `the file ${path}, which ${parameter} names, cannot be read: ${reason}`, {
      hint: 'See whether it is there and may be read.',
      context: { parameter, path },
      cause,
    });
  }
}
