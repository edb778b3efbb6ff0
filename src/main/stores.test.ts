import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runCommandLine } from '../cli/index.ts';
import { systemClock } from '../foundation/clock.ts';
import { EXIT } from '../foundation/errors.ts';
import type { Adapters } from '../operations/index.ts';
import { FaultyStore } from '../store/faulty/index.ts';
import { DecoratedStore } from '../store/index.ts';
import { createLocalStore } from '../store/local/index.ts';
import { adapters } from './adapters.ts';
import { serve } from './serve.ts';
import { fromAfar, openDirectory, withCache } from './stores.ts';

const context = { clock: systemClock, signal: new AbortController().signal, variables: {} };

/** Which request of each command fails once. */
let failing = -1;

/** The adapters of the program, but for directories that are as far away as a bucket. */
const distant: Adapters = {
  ...adapters,
  openStore: async (place, given) => {
    if (place.kind !== 'local') throw new Error('the plan names a directory');
    const store = new FaultyStore(new DecoratedStore(createLocalStore(place.path)), (_call, index) =>
      index === failing ? 'before' : undefined,
    );
    return fromAfar(store, place.path, given);
  },
  cached: withCache,
};

afterEach(() => {
  failing = -1;
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

type Requests = Record<string, unknown> & { requests: Record<string, number> };
type Asked = { requests: { primary: Requests; copy: Requests } };
const sumOf = ({ requests }: Asked): number =>
  Object.values(requests.primary.requests).reduce((sum, count) => sum + count, 0);

describe('a store between itself and a repository', () => {
  it('is as it is where its objects are files of this machine and the plan sets no limits', async () => {
    const path = mkdtempSync(join(tmpdir(), 'plain-'));
    const place = { kind: 'local', path } as const;
    const store = await openDirectory(path, context);
    expect(store.fileOf?.('a')).toBe(join(path, 'a'));
    const limited = await adapters.openStore(place, { ...context, limits: { upload: 1000 } });
    expect(limited.fileOf).toBeUndefined();
    expect(limited.stagingDirectory).toBe(store.stagingDirectory);
    const surroundings = { place, repositoryId: 'id', variables: {}, note: () => {} };
    const cached = await adapters.cached!(store, surroundings);
    expect(cached.fileOf?.('a')).toBe(join(path, 'a'));
    await cached.put('config', Buffer.from('content'));
    expect(existsSync(join(path, 'config'))).toBe(true);
    expect((await adapters.cached!(limited, surroundings)).fileOf).toBeUndefined();
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
  copy: { store: ./mirror, mirrorOf: primary, limits: { upload: 1GB }, prices: { writes: 5000 } }
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
    const run = async (words: string, exit: number = EXIT.done) => {
      printed.length = 0;
      const line = {
        adapters: distant,
        version: '0.0.0',
        serve,
        arguments: ['--plan', plan, '--json', ...words.split(' ')],
      };
      expect(await runCommandLine(line)).toBe(exit);
      return JSON.parse(printed.join('')) as Asked;
    };
    await run('init');
    const files = () =>
      readdirSync(join(directory, 'repository'), { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isFile(),
      );
    const made = files().length;
    const { requests } = await run('backup');
    expect(requests.primary).toMatchObject({ failed: 0, requests: { delete: expect.any(Number) } });
    const { put, list } = requests.primary.requests as { put: number; list: number };
    expect(put).toBeGreaterThanOrEqual(files().length - made);
    expect(requests.primary['estimatedCost']).toBeGreaterThanOrEqual(put + list);
    const { copy } = requests;
    expect(copy['estimatedCost']).toBeGreaterThanOrEqual(5 * (copy.requests['put']! + copy.requests['list']!));
    expect(copy.requests['put']).toBeGreaterThan(0);
    expect(told.join('')).toMatch(/primary: \d+ requests, .* sent, .* received, an estimated cost of \d+/);
    const [first, second] = [await run('snapshots'), await run('ls latest')];
    expect(first.requests.primary.requests).toMatchObject({ put: 0 });
    // Two for the content, and at most those of the ledger that it builds on, where it records that it was shown: of the
    // backup, and of init, which made a kit. Which of these are newest depends on their chains.
    const { get } = second.requests.primary.requests as { get: number };
    expect(get).toBeGreaterThanOrEqual(4);
    expect(get).toBeLessThanOrEqual(6);
    expect(existsSync(join(directory, 'cache', 'holdfast'))).toBe(true);
    failing = 1;
    const again = await run('snapshots');
    expect(again.requests.primary).toMatchObject({ failed: 1 });
    // The one that failed is sent again, and what `ls` recorded is read.
    expect(sumOf(again)).toBe(sumOf(first) + 2);
    failing = -1;
    const [cache] = readdirSync(join(directory, 'cache', 'holdfast')).filter(
      (name) => name !== 'stores' && !name.includes('.'),
    );
    const cached = readdirSync(join(directory, 'cache', 'holdfast', cache!), { recursive: true }).map(String);
    for (const pack of cached.filter((name) => /^data\/.*[0-9a-f]{64}$/.test(name))) {
      for (const place of ['repository', 'mirror']) rmSync(join(directory, place, pack));
    }
    await run('ls latest');
    // What only the cache has left proves nothing.
    await run('verify', EXIT.missed);
  });
});
