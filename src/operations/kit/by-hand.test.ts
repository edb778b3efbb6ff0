import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { repositoryLines } from './by-hand.ts';
import type { KitPlace } from './kit-content.ts';

/** What would become more than a word, or another command, if a shell were told of it as it is. */
const HOSTILE = `a'b "$(echo ran)" ; echo ran \\ *`;

const PLACES: KitPlace[] = [
  { kind: 's3', bucket: HOSTILE, prefix: HOSTILE, pathStyle: true, region: HOSTILE, endpoint: HOSTILE },
  { kind: 'gcs', bucket: HOSTILE, prefix: HOSTILE },
  { kind: 'local', path: `/${HOSTILE}` },
];

/** The words that the programs of these lines are called with, and what the lines have exported, as a shell understands them. */
function understood(lines: readonly string[]): string[] {
  const shown = `printf '%s\\n' "$@"`;
  const programs = `restic() { ${shown}; }; aws() { ${shown}; }; gcloud() { ${shown}; }`;
  const exported = `printf '%s\\n' "$RESTIC_REPOSITORY" "$AWS_DEFAULT_REGION" "$TAIL"`;
  const script = [programs, ...lines, exported].join('\n');
  return execFileSync('sh', ['-euc', script], { encoding: 'utf8', env: { AWS_DEFAULT_REGION: '' } }).split('\n');
}

describe('the lines of a repository', () => {
  it.each(PLACES)('reach their place whatever that is called: $kind', (place) => {
    const repository = { name: 'main', id: 'id', place, password: 'p', key: 'a'.repeat(64) };
    const words = understood(repositoryLines(repository, 'omni', true));
    expect(words).not.toContain('ran');
    expect(words.filter((word) => word.includes(HOSTILE)).length).toBeGreaterThan(1);
    if (place.kind === 's3')
      expect(words).toEqual(expect.arrayContaining([HOSTILE, `s3://${HOSTILE}/${HOSTILE}/holdfast/tail/omni`]));
  });
});
