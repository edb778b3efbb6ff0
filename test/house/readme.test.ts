import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { document, holdfast, scratchDirectory } from '../support/cli.ts';
import { projectRoot } from './fixture-tree.ts';

describe('the README', () => {
  const text = readFileSync(join(projectRoot, 'README.md'), 'utf8');

  it('shows a plan in which there is nothing wrong and nothing doubtful', async () => {
    const directory = scratchDirectory();
    mkdirSync(join(directory, 'here'));
    writeFileSync(join(directory, 'holdfast.yaml'), /```yaml\n(.*?)```/s.exec(text)?.[1] ?? '');
    const checked = await holdfast(join(directory, 'here'), ['plan', 'check', '--json']);
    expect(checked.exit, checked.stderr).toBe(0);
    expect(document(checked)).toMatchObject({ name: 'omni', sources: ['omni-db', 'uploads'], warnings: [] });
  });

  it('shows what the demo prints today', () => {
    const shown = /<!-- demo -->(.*?)<!-- \/demo -->/s.exec(text)?.[1] ?? '';
    for (const words of [
      'What was lost',
      'What came back',
      'Objectives',
      'RECOVERED: every row and every file is back',
    ]) {
      expect(shown).toContain(words);
    }
  });
});
