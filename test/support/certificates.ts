import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export interface Certificates {
  authority: string;
  certificate: string;
  key: string;
}

/** A certificate for localhost, and who vouches for it: itself. */
export function selfSigned(directory: string): Certificates {
  const [certificate, key] = [join(directory, 'tls.crt'), join(directory, 'tls.key')];
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ...['-keyout', key, '-out', certificate],
  ]);
  if (made.status !== 0) throw new Error(String(made.stderr));
  return { authority: certificate, certificate, key };
}
