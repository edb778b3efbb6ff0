import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openRepository, type Repository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { document, initialise, PASSWORD, scratchDirectory, startHoldfast, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { errorsOf, readFiles } from '../support/repository.ts';

/** What the newest snapshot has of a directory. */
async function textsIn(repository: Repository, directory: string): Promise<Record<string, string>> {
  const files = [...(await readFiles(repository))].filter(([path]) => `/${path}`.startsWith(`${directory}/`));
  return Object.fromEntries(files.map(([path, bytes]) => [path.slice(directory.length), bytes.toString()]));
}

describe.skipIf(process.platform !== 'linux')('`follow` of files', () => {
  it('loses nothing that was acknowledged when it is killed, and finds what changed while it was dead', async () => {
    const directory = scratchDirectory();
    const data = join(directory, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'first'), '1');
    writePlan(directory, `  files: { type: files, paths: [${data}], schedule: continuous }`);
    await initialise(directory);
    const repository = await openRepository(createLocalStore(join(directory, 'repository')), PASSWORD);
    const holds = (texts: Record<string, string>) =>
      vi.waitFor(async () => expect(await textsIn(repository, data)).toEqual(texts), {
        timeout: 60_000,
        interval: 250,
      });
    const start = () => {
      const follower = startHoldfast(directory, ['--json', 'follow', '--every', '1s']);
      onTestFinished(() => void follower.child.kill('SIGKILL'));
      return follower;
    };

    const first = start();
    await holds({ first: '1' });
    writeFileSync(join(data, 'second'), '2');
    await holds({ first: '1', second: '2' });
    writeFileSync(join(data, 'third'), '3');
    first.child.kill('SIGKILL');
    expect((await first.done).exit).toBe('SIGKILL');
    expect(await errorsOf(repository)).toEqual([]);
    expect(await textsIn(repository, data)).toMatchObject({ first: '1', second: '2' });
    rmSync(join(data, 'first'));

    const second = start();
    await holds({ second: '2', third: '3' });
    second.child.kill('SIGINT');
    const ended = await second.done;
    expect(ended.exit).toBe(130);
    expect(document(ended).sources).toMatchObject([{ source: 'files', snapshots: 1, gaps: [] }]);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it.each([
    ['500ms', '"500ms" is too short', 'Write 1s or more: what came is made durable each time.'],
    ['soon', '"soon" is no duration', 'Write one such as `5s` or `10m`.'],
  ])('is refused with `--every %s`', async (every, message, hint) => {
    const directory = scratchDirectory();
    writePlan(directory, '  files: { type: files, paths: [/srv], schedule: continuous }');
    const { exit, json } = await runHere(join(directory, 'holdfast.yaml'), 'follow', 'files', '--every', every);
    expect(exit).toBe(2);
    expect(json).toMatchObject({ error: { code: 'bad-usage', message, hint } });
  });

  it('is refused for a source that has nothing to follow, and says what has', async () => {
    const directory = scratchDirectory();
    writePlan(directory, '  files: { type: files, paths: [/srv], schedule: hourly }');
    const { exit, json } = await runHere(join(directory, 'holdfast.yaml'), 'follow', 'files');
    expect(exit).toBe(2);
    expect(json.error.hint).toContain('schedule: continuous');
  });
});
