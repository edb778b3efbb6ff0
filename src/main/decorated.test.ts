import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runCommandLine } from '../cli/index.ts';
import { systemClock } from '../foundation/clock.ts';
import type { Adapters } from '../operations/index.ts';
import { DecoratedStore } from '../store/index.ts';
import { createLocalStore } from '../store/local/index.ts';
import { adapters } from './adapters.ts';
import { decorated } from './decorated.ts';

const context = { clock: systemClock, signal: new AbortController().signal };

/** The adapters of the program, but for directories that are as far away as a bucket. */
const distant: Adapters = {
  ...adapters,
  openStore: (place, given) => decorated(new DecoratedStore(createLocalStore(place.path)), given),
};

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

describe('a store between itself and a repository', () => {
  it('is as it is where its objects are files of this machine and the plan sets no limits', async () => {
    const store = createLocalStore(mkdtempSync(join(tmpdir(), 'plain-')));
    expect(await decorated(store, context)).toBe(store);
    expect(await adapters.cached!(store, { repositoryId: 'id', variables: {}, note: () => {} })).toBe(store);
    const limited = await decorated(store, { ...context, limits: { upload: 1000 } });
    expect(limited.fileOf).toBeUndefined();
    expect(limited.stagingDirectory).toBe(store.stagingDirectory);
  });

  it('counts, limits and caches where its objects are elsewhere, and a command says what it asked for', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'distant-'));
    const plan = join(directory, 'holdfast.yaml');
    mkdirSync(join(directory, 'files'));
    writeFileSync(join(directory, 'files', 'a'), 'content');
    writeFileSync(
      plan,
      `version: 1
name: shop
repositories:
  primary: { store: ./repository, password: { env: PASSWORD }, limits: { upload: 1GB }, prices: { writes: 1000 } }
sources:
  uploads: { type: files, paths: [${join(directory, 'files')}] }
`,
    );
    vi.stubEnv('PASSWORD', 'secret');
    vi.stubEnv('XDG_CACHE_HOME', join(directory, 'cache'));
    const printed: string[] = [];
    const told: string[] = [];
    vi.spyOn(process.stdout, 'write').mockImplementation((text, done) => {
      printed.push(String(text));
      (done as unknown as () => void)();
      return true;
    });
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => told.push(String(text)) > 0);
    const run = async (...words: string[]) => {
      printed.length = 0;
      const line = { adapters: distant, version: '0.0.0', arguments: ['--plan', plan, '--json', ...words] };
      expect(await runCommandLine(line)).toBe(0);
      return JSON.parse(printed.join('')) as { requests: { primary: Record<string, unknown> & { requests: object } } };
    };
    await run('init');
    const { requests } = await run('backup');
    const puts = readdirSync(join(directory, 'repository'), { recursive: true, withFileTypes: true });
    expect(requests.primary).toMatchObject({ failed: 0, requests: { delete: expect.any(Number) } });
    const { put, list } = requests.primary.requests as { put: number; list: number };
    expect(put).toBeGreaterThanOrEqual(puts.filter((entry) => entry.isFile()).length - 3);
    expect(requests.primary['estimatedCost']).toBeGreaterThanOrEqual(put + list);
    expect(told.join('')).toMatch(/primary: \d+ requests, .* sent, .* received, an estimated cost of \d+/);
    const [first, second] = [await run('snapshots'), await run('ls', 'latest')];
    expect(first.requests.primary.requests).toMatchObject({ put: 0 });
    expect(second.requests.primary.requests).toMatchObject({ get: 2 });
    expect(existsSync(join(directory, 'cache', 'holdfast'))).toBe(true);
  });
});
