import { describe, expect, it } from 'vitest';
import { holdfast, scratchDirectory } from '../support/cli.ts';

/** Which commands are loaded goes by the first word: whatever stands before and behind it must not matter. */
describe('the words of a command line', () => {
  it('are understood with options before the command', async () => {
    const directory = scratchDirectory();
    const { exit, stderr } = await holdfast(directory, ['--no-progress', '--plan', 'backup', 'plan', 'check']);
    expect(exit).not.toBe(0);
    expect(stderr).toContain(`${directory}/backup`);
  });

  it('get a suggestion when the command is misspelt', async () => {
    const { exit, stderr } = await holdfast(scratchDirectory(), ['snapshot']);
    expect(exit).toBe(2);
    expect(stderr).toContain('Did you mean snapshots?');
  });

  it('find the second word of a command that is one by itself as well', async () => {
    const { exit, stdout } = await holdfast(scratchDirectory(), ['kit', '--help']);
    expect(exit).toBe(0);
    expect(stdout).toContain('check');
    expect(stdout).toContain('open');
  });

  it('show every command in the help', async () => {
    const { stdout } = await holdfast(scratchDirectory(), ['--help']);
    for (const name of ['plan', 'backup', 'incident', 'demo']) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
  });
});
