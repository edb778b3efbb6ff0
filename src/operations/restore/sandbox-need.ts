import type { Source as PlanSource } from '../../plan/index.ts';
import type { SandboxNeed } from '../../sandbox/index.ts';
import type { Manifest } from '../../source/index.ts';

/** What a sandbox must offer to take a restore of this source. */
export function sandboxNeed(planned: PlanSource, { details }: Manifest): SandboxNeed {
  if (planned.type === 'files' || planned.type === 'sqlite') return { kind: 'directory' };
  const text = (key: string): string => String(details[key] ?? '');
  if (details['format'] === 'pg-data-directory') {
    return {
      kind: 'postgres-data',
      majorVersion: Number(details['majorVersion']),
      superuser: text('superuser'),
      database: text('database'),
      settings: details['settings'] as Record<string, string>,
    };
  }
  return {
    kind: 'postgres',
    majorVersion: Math.floor(Number(details['serverVersionNumber']) / 10_000),
    newerServes: true,
    encoding: text('encoding'),
    collate: text('collate'),
    ctype: text('ctype'),
  };
}
