import { HoldfastError } from '../../foundation/errors.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import type { SandboxNeed } from '../../sandbox/index.ts';
import type { Manifest } from '../../source/index.ts';

/** What a sandbox must offer to take a restore of this source. */
export function sandboxNeed(planned: PlanSource, { details }: Manifest): SandboxNeed {
  if (planned.type === 'files') return { kind: 'directory' };
  if (details['format'] === 'pg-data-directory') {
    throw new HoldfastError('not-provable', 'a physical backup cannot be proven by this version', {
      hint: 'Restore it to a directory, run pg_verifybackup there, and start a server on it.',
    });
  }
  const text = (key: string): string => String(details[key] ?? '');
  return {
    kind: 'postgres',
    majorVersion: Math.floor(Number(details['serverVersionNumber']) / 10_000),
    newerServes: true,
    encoding: text('encoding'),
    collate: text('collate'),
    ctype: text('ctype'),
  };
}
