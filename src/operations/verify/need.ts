import { HoldfastError } from '../../foundation/errors.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { SandboxNeed } from '../../sandbox/index.ts';
import type { Manifest } from '../../source/index.ts';

const MANIFEST_LIMIT_BYTES = 64 * 1024 * 1024;

/** @throws repository-damaged when the snapshot has no manifest that can be read */
export async function readManifest(reader: SnapshotReader): Promise<Manifest> {
  const node = await reader.find('/.holdfast/manifest.json');
  if (node === undefined) {
    throw new HoldfastError('repository-damaged', `snapshot ${reader.id.slice(0, 8)} has no manifest`, {
      hint: 'Holdfast did not write it; it can be restored with `holdfast restore --snapshot`, but not validated.',
    });
  }
  const manifest = JSON.parse((await reader.readWhole(node, MANIFEST_LIMIT_BYTES)).toString('utf8')) as Manifest;
  if (manifest.version === 1) return manifest;
  throw new HoldfastError(
    'repository-unsupported',
    `snapshot ${reader.id.slice(0, 8)} has a manifest of the unknown version ${String(manifest.version)}`,
    {
      hint: 'Use the version of Holdfast that wrote it, or a newer one.',
    },
  );
}

/** What a sandbox must offer to take a restore of this source. */
export function sandboxNeed(planned: PlanSource, { details }: Manifest): SandboxNeed {
  if (planned.type === 'files') return { kind: 'directory' };
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
