import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { CommandDefinition } from '../../src/cli/command.ts';
import { allCommands, COMMAND_NAMES } from '../../src/cli/registry.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { holdfast, scratchDirectory } from '../support/cli.ts';

/** What a terminal would obey: clear the screen, set its title, go back on the line, write to the left. */
const HOSTILE = 'a\u001b[2Jb\u001b]0;title\u0007c\rd\u009b31me\u202ef';
const SHOWN = 'a\\x1b[2Jb\\x1b]0;title\\x07c\\rd\\x9b31me\\u202ef';
const OBEYED = /[^\P{Cc}\n]|\u202e/u;

/** Words that fill the arguments that a command must have. */
function wordsFor({ name, arguments: given = '', options = [] }: CommandDefinition): string[] {
  const named = [...given.matchAll(/<[^>]+>/g)].map(() => 'word');
  const needed = options.filter(({ flags }) => flags.includes('required')).map(({ flags }) => flags.split(' ')[0]!);
  return [...name.split(' '), ...named, ...needed];
}

let commands: Map<string, CommandDefinition>;
beforeAll(async () => {
  commands = new Map((await allCommands()).map((command) => [command.name, command]));
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(COMMAND_NAMES)('holdfast %s', (name) => {
  it('prints nothing that a terminal would obey, whatever it was told by others', async () => {
    const command = commands.get(name)!;
    vi.spyOn(command, 'run').mockImplementation(async ({ tell, environment }) => {
      tell(HOSTILE);
      environment.progress(HOSTILE).note(HOSTILE);
      return { exit: 0, json: { name: HOSTILE }, text: HOSTILE };
    });
    const directory = scratchDirectory();
    const ran = await holdfast(directory, wordsFor(command));
    expect(ran).toEqual({ exit: 0, stdout: `${SHOWN}\n`, stderr: `${SHOWN}\n${SHOWN}: ${SHOWN}\n` });
    const { stdout } = await holdfast(directory, ['--json', ...wordsFor(command)]);
    expect(JSON.parse(stdout)).toEqual({ name: HOSTILE });
  });

  it('says what went wrong in the same way', async () => {
    const command = commands.get(name)!;
    vi.spyOn(command, 'run').mockRejectedValue(
      new HoldfastError('bad-usage', `${HOSTILE}\nholdfast: all is well`, { hint: HOSTILE }),
    );
    const { stdout, stderr } = await holdfast(scratchDirectory(), wordsFor(command));
    expect(stdout + stderr).not.toMatch(OBEYED);
    expect(stderr.split('\n').filter((line) => line.startsWith('holdfast:'))).toEqual([`holdfast: ${SHOWN}`]);
  });
});

describe('the command line', () => {
  it('writes to its streams in one place, through which all text goes', () => {
    const folder = fileURLToPath(new URL('../../src/cli/', import.meta.url));
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const writing = files.filter((file) =>
      /\bconsole\.|process\.std(out|err)\.write/.test(readFileSync(folder + file, 'utf8')),
    );
    expect(writing).toEqual(['run.ts']);
  });
});
