import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { HoldfastError, systemCode } from '../../../foundation/errors.ts';
import type { TlsFiles } from './location.ts';

/** @throws source-refused when a certificate's file cannot be read */
export function tlsOptions(files: TlsFiles, host: string): ConnectionOptions {
  const name = files.serverName ?? (isIP(host) === 0 ? host : undefined);
  return {
    rejectUnauthorized: files.isVerified,
    ...(name !== undefined && { servername: name }),
    ...(files.authorities !== undefined && { ca: readPart(files.authorities, 'cacert') }),
    ...(files.certificate !== undefined && { cert: readPart(files.certificate, 'cert') }),
    ...(files.key !== undefined && { key: readPart(files.key, 'key') }),
  };
}

function readPart(path: string, parameter: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new HoldfastError('source-refused', `the file that ${parameter} names cannot be read`, {
      hint: 'See whether it is there and may be read.',
      context: { parameter, path, reason: systemCode(error) },
      cause: error,
    });
  }
}
