import { describe, expect, test } from 'vitest';
import { FILES, HEAD, linesIn } from '../../test/support/bad-plan.ts';

describe('the options of a store at s3:// or gs://', () => {
  const linesOf = (store: string, options: string) =>
    linesIn(HEAD.replace('./repository', store).replace(' } }', ` }, ${options} }`) + FILES);

  test.each([
    ['s3', 's3: { region: eu-central-1 }, storageClass: STANDARD_IA'],
    ['s3', 's3: { region: us-central1, endpoint: https://storage.example.com, pathStyle: true }'],
    ['s3', 's3: { endpoint: { env: ENDPOINT }, serverSideEncryption: aws:kms, kmsKeyId: abc }'],
    ['gs', 'gcs: { project: omni, location: EU, userProject: { env: PAYER } }, storageClass: ARCHIVE'],
    [
      'gs',
      'gcs: { endpoint: https://storage.example.com, kmsKeyName: projects/p/locations/l/keyRings/r/cryptoKeys/k }',
    ],
  ])('of a store at %s://, %s is right', (scheme, options) => {
    expect(linesOf(`${scheme}://bucket/x`, options)).toEqual([]);
  });

  test.each([
    ['s3://bucket', 's3: { regoin: x }', 's3.regoin: unknown key; did you mean "region"?'],
    ['s3://bucket', 's3: { pathStyle: maybe }', 's3.pathStyle: found "maybe", expected true or false'],
    [
      's3://bucket',
      's3: { endpoint: "https://a:hunter2@host" }',
      's3.endpoint: credentials are never written in the plan',
    ],
    [
      's3://bucket',
      's3: { endpoint: host:9000 }',
      's3.endpoint: found a text, expected a URL such as https://s3.example.com',
    ],
    ['s3://bucket', 's3: { kmsKeyId: abc }', 's3.kmsKeyId: "kmsKeyId" belongs to "serverSideEncryption: aws:kms"'],
    ['s3://bucket', 'storageClass: DEEP_ARCHIVE', 'storageClass: what lies in DEEP_ARCHIVE cannot be read at once'],
    ['./repository', 'storageClass: STANDARD_IA', 'storageClass: "storageClass" belongs to a store at s3:// or gs://'],
    ['gs://bucket', 'gcs: { projekt: x }', 'gcs.projekt: unknown key; did you mean "project"?'],
    [
      'gs://bucket',
      'gcs: { endpoint: host:9000 }',
      'gcs.endpoint: found a text, expected a URL such as https://storage',
    ],
    ['gs://bucket', 'gcs: { kmsKeyName: abc }', 'gcs.kmsKeyName: found "abc", expected the name of a key: projects/'],
    ['gs://bucket', 'storageClass: STANDARD_IA', 'storageClass: "STANDARD_IA" is no class of Cloud Storage; expected'],
    ['gs://bucket', 's3: {}', 's3: "s3" belongs to a store at s3://'],
    ['s3://bucket', 'gcs: {}', 'gcs: "gcs" belongs to a store at gs://'],
    ['./repository', 's3: {}', 's3: "s3" belongs to a store at s3://'],
  ])('of %s, %s is not', (store, options, line) => {
    const lines = linesOf(store, options);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`repositories.primary.${line}`);
    expect(lines[0]).not.toContain('hunter2');
  });

  test('two repositories at one place are told, at two endpoints not', () => {
    const two = (options: string) =>
      linesIn(
        `${HEAD.replace('./repository', 's3://bucket/x')}  other: { store: s3://bucket/x/, password: { env: B }${options} }\n${FILES.replace('[/srv/uploads] }', '[/srv/uploads], repository: other }')}`,
      );
    expect(two('')).toEqual(['holdfast.yaml:5:19: repositories.other.store: "primary" is already there']);
    expect(two(', s3: { endpoint: https://elsewhere.example }')).toEqual([]);
  });
});

test('a lock that would run out between two backups is refused', () => {
  const lines = linesIn(
    `${HEAD.replace('./repository', 's3://bucket').replace(' } }', ' }, lock: { mode: governance, for: 36h } }')}${FILES}`,
  );
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(
    'repositories.primary.lock.for: it would run out before it is extended; expected at least 2d',
  );
});

describe('lock, capacity, limits and prices of a repository', () => {
  const SIZE = 'expected a size such as 500MB, 2GiB or 5TB';
  test.each([
    ['capacity: { warnAt: 80% }', 'capacity.of', 'missing key', SIZE],
    ['capacity: { of: much }', 'capacity.of', 'found "much"', SIZE],
    ['capacity: { of: 0GB }', 'capacity.of', 'found "0GB"', SIZE],
    ['capacity: { of: 5TB, warnAt: 0.8 }', 'capacity.warnAt', 'found the number 0.8', 'a percentage such as 80%'],
    ['capacity: { of: 5TB, warnAt: 0% }', 'capacity.warnAt', 'expected more than 0% and at most 100%', ''],
    ['capacity: { of: 5TB, warnAt: 120% }', 'capacity.warnAt', 'expected more than 0% and at most 100%', ''],
    ['lock: { mode: governance, for: 30d }', 'lock', 'a directory cannot lock what lies in it', 'expected a bucket'],
    ['lock: { mode: hard, for: 30d }', 'lock.mode', 'found "hard"', 'governance or compliance'],
    ['lock: { mode: governance }', 'lock.for', 'missing key', 'a duration such as'],
    ['limits: { upload: fast }', 'limits.upload', 'found "fast"', SIZE],
    ['limits: { up: 1MB }', 'limits.up', 'unknown key', ''],
    ['prices: { writes: -1 }', 'prices.writes', 'a price that is not negative', ''],
    ['prices: { reads: cheap }', 'prices.reads', 'found "cheap"', 'a price, as a number'],
  ])('%s is refused', (written, path, found, expected) => {
    const lines = linesIn(`${HEAD.replace(' } }', ` }, ${written} }`)}${FILES}`);
    expect(lines).toHaveLength(1);
    for (const part of [`repositories.primary.${path}`, found, expected]) expect(lines[0]).toContain(part);
  });
});
