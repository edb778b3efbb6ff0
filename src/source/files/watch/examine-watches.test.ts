import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testDirectory } from '../../../../test/support/repository.ts';
import { examineWatches } from './examine-watches.ts';

describe('what the system lets be watched', () => {
  const tree = join(testDirectory(), 'tree');
  const leading = tree.split('/').length - 1;
  for (const name of ['a/b', 'c', 'cache/d']) mkdirSync(join(tree, name), { recursive: true });

  it('is enough, with some to spare for others', () => {
    const enough = Math.ceil((leading + 4) / 0.9);
    const about = expect.stringContaining(`${leading + 4} directories are to be watched, of ${enough}`);
    const found = examineWatches([tree], (path) => path.endsWith('/cache'), enough);
    expect(found).toEqual([{ level: 'ok', about: 'fs.inotify.max_user_watches', message: about }]);
  });

  it('is too little, and then the command is said that changes it', () => {
    const [finding] = examineWatches([tree], () => false, 6);
    expect(finding).toMatchObject({ level: 'warning', mend: { place: 'shell' } });
    expect(finding!.mend!.lines[0]).toMatch(/^echo fs\.inotify\.max_user_watches=524288 > \/etc\/sysctl\.d\//);
  });
});
