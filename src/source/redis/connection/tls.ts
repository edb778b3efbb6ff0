import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { readCertificateFile } from '../../certificate-file.ts';
import type { TlsFiles } from './location.ts';

/** @throws source-refused when a certificate's file cannot be read */
export async function tlsOptions(files: TlsFiles, host: string): Promise<ConnectionOptions> {
  const name = files.serverName ?? (isIP(host) === 0 ? host : undefined);
  return {
    rejectUnauthorized: files.isVerified,
    ...(name !== undefined && { servername: name }),
    ...(files.authorities !== undefined && { ca: await readCertificateFile(files.authorities, 'cacert') }),
    ...(files.certificate !== undefined && { cert: await readCertificateFile(files.certificate, 'cert') }),
    ...(files.key !== undefined && { key: await readCertificateFile(files.key, 'key') }),
  };
}
