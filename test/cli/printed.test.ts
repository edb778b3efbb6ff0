import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { CommandDefinition } from '../../src/cli/command.ts';
import { allCommands, COMMAND_NAMES } from '../../src/cli/registry.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { holdfast, initialise, scratchDirectory, writePlan } from '../support/cli.ts';

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

describe('a newline in what others wrote', () => {
  const FORGED = 'a\ngood news\u001b[2J';
  const SHOWN_NEWLINE = /a(\\n|\\x0a| )good news/;
  const BEGINS = /^\s*(good news|holdfast: all is well)/m;

  it('begins no line of ours, wherever a path, a note or a tag is shown', async () => {
    const directory = scratchDirectory();
    const data = join(directory, 'data');
    const target = join(directory, 'target');
    mkdirSync(data);
    writeFileSync(join(data, FORGED), 'one');
    writePlan(directory, `  files: { type: files, paths: [${data}] }`);
    await initialise(directory);
    const shows = async (...words: string[]): Promise<string> => {
      const { stdout, stderr } = await holdfast(directory, words);
      expect(stdout + stderr, words.join(' ')).not.toMatch(BEGINS);
      return stdout + stderr;
    };
    await shows('backup');
    writeFileSync(join(data, FORGED), 'two');
    expect(await shows('compare', 'files')).toMatch(SHOWN_NEWLINE);
    await shows('backup');
    const [first] = JSON.parse((await holdfast(directory, ['snapshots', '--json'])).stdout).snapshots;
    expect(await shows('diff', first.id, 'latest')).toMatch(SHOWN_NEWLINE);
    await shows('restore', 'files', '--to', target);
    writeFileSync(join(target, `${FORGED} besides`), 'surplus');
    const replaced = ['restore', 'files', '--to', target, '--replace', '--confirm', 'target', '--dry-run'];
    expect(await shows(...replaced)).toMatch(SHOWN_NEWLINE);
    for (const words of [['hold', 'latest', '--why', FORGED], ['snapshots']]) {
      expect(await shows(...words), words.join(' ')).toMatch(SHOWN_NEWLINE);
    }
  });

  it('is escaped by the one who puts it into a line: no message stands in a text that does not', () => {
    const untagged = /(?<!oneLine)`[^`]*\$\{[^`}]*\b(message|reason|path)\}/;
    // What these print is escaped in one place, and the stack is for HOLDFAST_DEBUG.
    const files = cliFiles().filter((file) => file !== 'errors.ts' && file !== 'progress.ts');
    const found = files.flatMap((file) =>
      readFileSync(FOLDER + file, 'utf8')
        .split('\n')
        .filter((text) => untagged.test(text) && !/HoldfastError|oneLine`|hint/.test(text))
        .map((text) => `${file}: ${text.trim()}`),
    );
    expect(found).toEqual([]);
  });
});

const FOLDER = fileURLToPath(new URL('../../src/cli/', import.meta.url));

function cliFiles(): string[] {
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
}

describe('the command line', () => {
  it('writes to its streams in one place, through which all text goes', () => {
    const writing = cliFiles().filter((file) =>
      /\bconsole\.|process\.std(out|err)\.write/.test(readFileSync(FOLDER + file, 'utf8')),
    );
    expect(writing).toEqual(['run.ts']);
  });

  it('leaves nobody listening to them behind it', async () => {
    const before = process.stdout.listenerCount('error');
    await holdfast(scratchDirectory(), ['plan', 'schema']);
    expect(process.stdout.listenerCount('error')).toBe(before);
  });
});
