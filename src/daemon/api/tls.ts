import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { readGivenFile } from '../../foundation/given-file.ts';

export interface TlsFiles {
  certPath: string;
  keyPath: string;
}

/** A certificate with its key, which belong together. @throws secret-unavailable, bad-usage */
export async function readTls({ certPath, keyPath }: TlsFiles): Promise<SecureContextOptions> {
  const options = { cert: await readPart(certPath), key: await readPart(keyPath), minVersion: 'TLSv1.2' } as const;
  try {
    createSecureContext(options);
    return options;
  } catch (cause) {
    throw new HoldfastError('bad-usage', `${certPath} and ${keyPath} are no certificate with its key`, {
      hint: 'Both are PEM; the certificate comes first, then those that lead to it.',
      context: { reason: messageOf(cause) },
      cause,
    });
  }
}

/** Far more than a chain of certificates has. */
const LARGEST_PART_BYTES = 1024 * 1024;

async function readPart(path: string): Promise<Buffer> {
  try {
    return await readGivenFile(path, LARGEST_PART_BYTES);
  } catch (cause) {
    throw new HoldfastError('secret-unavailable', `${path} cannot be read: ${messageOf(cause)}`, {
      hint: 'Give the user that runs Holdfast the right to read it.',
      cause,
    });
  }
}
