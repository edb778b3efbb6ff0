import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Target } from '../../src/foundation/target.ts';
import { createSecretsSource } from '../../src/source/secrets/index.ts';
import { noise } from '../support/repository.ts';
import { describeSource, type SourceUnderTest } from '../support/source-conformance.ts';

const directoryOf = (place: Target): string => (place.kind === 'directory' ? place.path : '');

describeSource('a directory of secrets', async (): Promise<SourceUnderTest> => {
  const living = join(mkdtempSync(join(tmpdir(), 'living-')), 'secrets');
  const source = (directory = living) =>
    createSecretsSource({
      ...{ name: 'keys', variables: {}, validate: [], version: '0.0.0' },
      places: async () => ({ directory }),
    });
  return {
    async source(amount) {
      rmSync(living, { recursive: true, force: true });
      mkdirSync(join(living, 'deeper'), { recursive: true });
      if (amount !== 'nothing') {
        writeFileSync(join(living, 'token'), 'a token');
        writeFileSync(join(living, 'deeper', 'key'), amount === 'much' ? noise(8_000_000) : 'a key');
      }
      return source();
    },
    gone: () => source(join(living, 'not-there')),
    details: { files: 2, secrets: 0, variables: 0, digest: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown },
    place: async () => ({ kind: 'directory', path: join(mkdtempSync(join(tmpdir(), 'place-')), 'new') }),
    part: {
      only: ['deeper'],
      contents: async () => [['deeper/key', Buffer.from('a key').toString('base64')]],
    },
    wrongPlaces: [{ kind: 'database', url: 'postgres://localhost/none', label: 'a database', sandbox: false }],
    async occupy(place) {
      mkdirSync(directoryOf(place));
      writeFileSync(join(directoryOf(place), 'other'), 'of somebody else');
    },
    async contents(place) {
      const path = place === undefined ? living : directoryOf(place);
      if (existsSync(join(path, 'other'))) return ['other'];
      const below = place === undefined ? path : join(path, 'files', living);
      const names = existsSync(below) ? (readdirSync(below, { recursive: true }) as string[]).sort() : [];
      return names.filter((name) => name !== 'deeper').map((name) => [name, readFileSync(join(below, name), 'base64')]);
    },
    async alter(place) {
      writeFileSync(join(directoryOf(place), 'files', living, 'token'), 'A token');
    },
  };
});
