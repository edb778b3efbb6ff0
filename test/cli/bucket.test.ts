import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createGcsStore } from '../../src/store/gcs/index.ts';
import { initialise, PASSWORD, scratchDirectory, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { gcsServer, placeIn } from '../support/gcs-server.ts';

afterEach(() => vi.unstubAllEnvs());

describe('a bucket as a source', () => {
  it('is backed up, proven, compared and restored as its plan says', async () => {
    const server = await gcsServer();
    try {
      const name = await server.bucket();
      const store = createGcsStore(placeIn(server.endpoint, name, 'site'));
      await store.put('images/logo', Buffer.from('a picture'));
      await store.put('index', Buffer.from('a page'));
      const directory = scratchDirectory();
      const gcs = `gcs: { endpoint: "${server.endpoint}" }`;
      const validate = 'validate: [{ name: logo, exec: [test, -s, "${sandbox.path}/data/images/logo"] }]';
      writePlan(directory, `  site: { type: files, bucket: "gs://${name}/site", ${gcs}, ${validate} }`);
      await initialise(directory);
      vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
      const plan = join(directory, 'holdfast.yaml');
      const { exit, json } = await runHere(plan, 'backup');
      expect(exit).toBe(0);
      expect(json.sources[0]).toMatchObject({ outcome: 'complete', files: { new: 2 } });
      const { exit: proven, json: proof } = await runHere(plan, 'verify');
      expect([proven, proof.proofs[0].state, proof.proofs[0].checksFailed]).toEqual([0, 'proven', []]);
      expect(await runHere(plan, 'compare', 'site')).toMatchObject({ exit: 0, json: { compared: 2, differences: [] } });
      const back = join(directory, 'back');
      expect((await runHere(plan, 'restore', 'site', '--to', back)).exit).toBe(0);
      expect(readFileSync(join(back, 'data', 'images', 'logo'), 'utf8')).toBe('a picture');
      expect(readFileSync(join(back, 'objects.jsonl'), 'utf8').split('\n')).toHaveLength(3);
    } finally {
      await server.close();
    }
  });

  it.each([
    ['paths: [/srv], bucket: "s3://uploads"', '"bucket" takes the place of "paths"'],
    ['schedule: hourly', 'missing key "paths"; expected a list of absolute paths, or "bucket"'],
    ['bucket: "s3://uploads", schedule: continuous', 'a bucket is not watched'],
    ['bucket: "s3://uploads", gcs: { userProject: x }', '"gcs" belongs to a bucket at gs://'],
    ['paths: [/srv], s3: { pathStyle: true }', '"s3" belongs to a bucket at s3://'],
    ['bucket: /srv/uploads', 's3://bucket/prefix or gs://bucket/prefix'],
  ])('is refused as `%s`', async (keys, message) => {
    const directory = scratchDirectory();
    writePlan(directory, `  site: { type: files, ${keys} }`);
    const { exit, json } = await runHere(join(directory, 'holdfast.yaml'), 'plan', 'check');
    expect(exit).toBe(2);
    expect(JSON.stringify(json)).toContain(JSON.stringify(message).slice(1, -1));
    writeFileSync(join(directory, 'holdfast.yaml'), '');
  });
});
