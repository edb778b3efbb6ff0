import { shellWord } from '../../foundation/shell-word.ts';
import type { StorePlace, StorePlan } from '../../plan/index.ts';
import type { KitPlace } from './kit-content.ts';

/** What a kit says of a place: all that leads there, and no credentials. */
export function kitPlace(place: StorePlace): KitPlace {
  switch (place.kind) {
    case 'local':
      return { kind: 'local', path: place.path };
    case 's3': {
      const { kind, bucket, prefix, pathStyle, region, endpoint } = place;
      return { kind, bucket, prefix, pathStyle, ...(region && { region }), ...(endpoint && { endpoint }) };
    }
    case 'gcs': {
      const { kind, bucket, prefix, endpoint, userProject } = place;
      return { kind, bucket, prefix, ...(endpoint && { endpoint }), ...(userProject && { userProject }) };
    }
  }
}

/** The same as a store of a plan: what `storePlace` makes the place of again. */
export function storeOfPlace(place: KitPlace): Pick<StorePlan, 'store' | 's3' | 'gcs'> {
  const s3 = { pathStyle: false };
  if (place.kind === 'local') return { store: place.path, s3 };
  const at = [place.bucket, place.prefix].filter(Boolean).join('/');
  if (place.kind === 's3') {
    const { kind: _, bucket: __, prefix: ___, ...options } = place;
    return { store: `s3://${at}`, s3: options };
  }
  const { kind: _, bucket: __, prefix: ___, ...gcs } = place;
  return { store: `gs://${at}`, s3, gcs };
}

/** The place as a person writes it. */
export function placeText(place: KitPlace): string {
  return storeOfPlace(place).store as string;
}

/** The place as stock restic is told of it. */
export function resticPlace(place: KitPlace): string {
  if (place.kind === 'local') return place.path;
  const { bucket, prefix } = place;
  if (place.kind === 'gcs') return `gs:${bucket}:/${prefix}`;
  const endpoint = place.endpoint ?? `https://s3.${place.region ?? 'us-east-1'}.amazonaws.com`;
  return `s3:${endpoint.replace(/\/$/, '')}/${[bucket, prefix].filter(Boolean).join('/')}`;
}

/** How a directory of a repository comes to this machine with the store's own tool, as a shell takes it; undefined where it is here. */
export function fetchCommand(place: KitPlace, directory: string, to: string): string | undefined {
  if (place.kind === 'local') return undefined;
  const url = `${placeText(place)}/${directory}`;
  // Other than `cp`, it makes the directory.
  if (place.kind === 'gcs') return `gcloud storage rsync --recursive ${shellWord(url)} ${shellWord(to)}`;
  const endpoint = place.endpoint === undefined ? '' : ` --endpoint-url ${shellWord(place.endpoint)}`;
  return `aws s3 cp --recursive${endpoint} ${shellWord(url)} ${shellWord(to)}`;
}

/** Where the credentials of a place come from, in words. */
export function credentialsText({ kind }: KitPlace): string {
  if (kind === 'local') return 'none: whoever may read the directory';
  if (kind === 's3') return 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws; not in the kit';
  return 'GOOGLE_APPLICATION_CREDENTIALS, or gcloud; not in the kit';
}
