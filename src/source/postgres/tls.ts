import type { ConnectionOptions } from 'node:tls';
import { readCertificateFile } from '../certificate-file.ts';
import type { Location } from './location.ts';

/**
 * What libpq's `sslmode` means for a connection: `require` encrypts and believes the server, unless a root certificate is
 * given; `verify-ca` and `verify-full` believe nobody without one.
 * Source: PostgreSQL's documentation, "SSL Support" of libpq.
 * @throws source-refused when a certificate's file cannot be read
 */
export async function tlsOptions({ parameters }: Location, mode: string): Promise<ConnectionOptions> {
  const root = parameters.get('sslrootcert');
  const verifies = mode === 'verify-ca' || mode === 'verify-full' || root !== undefined;
  const options: ConnectionOptions = { rejectUnauthorized: verifies };
  // `system` stands for the roots that come with the runtime, and for checking the name too.
  if (root !== undefined && root !== 'system') options.ca = await readCertificateFile(root, 'sslrootcert');
  const certificate = parameters.get('sslcert');
  const key = parameters.get('sslkey');
  if (certificate !== undefined) options.cert = await readCertificateFile(certificate, 'sslcert');
  if (key !== undefined) options.key = await readCertificateFile(key, 'sslkey');
  if (mode !== 'verify-full' && root !== 'system') options.checkServerIdentity = () => undefined;
  return options;
}
