import { describe, expect, it } from 'vitest';
import { allCommands, COMMAND_NAMES, commandsBeginningWith } from './registry.ts';

describe('the commands', () => {
  it('are listed under their own names', async () => {
    const names = (await allCommands()).map(({ name }) => name);
    expect(names).toEqual(COMMAND_NAMES);
  });

  it('that begin with a word are all there are of that word, and none for a word that is no command', async () => {
    const namesOf = async (word: string): Promise<string[]> =>
      (await commandsBeginningWith(word)).map(({ name }) => name);
    expect(await namesOf('kit')).toEqual(['kit', 'kit check', 'kit open']);
    expect(await namesOf('backup')).toEqual(['backup']);
    expect(await namesOf('check')).toEqual(['check']);
    expect(await namesOf('constructor')).toEqual([]);
  });
});
