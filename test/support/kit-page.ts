/** The printed page of a recovery kit, followed as a person does who has a terminal, the kit and no Holdfast. */

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const BY_HAND = '## By hand: ';

/**
 * The lines that a person types: of the copies of a repository, the first whose last line succeeds; all others as they are.
 * @param page as Markdown
 * @param without repositories that are left out
 */
export function linesByHand(page: string, without: readonly string[] = []): string[] {
  const chapters = page.split(/^(?=## )/m).filter((chapter) => chapter.startsWith(BY_HAND));
  const chosen = chapters.filter((chapter) => !without.some((name) => chapter.startsWith(`${BY_HAND}${name}\n`)));
  return chosen.flatMap((chapter) => {
    const blocks = [...chapter.matchAll(/^```sh\n(.*?)\n```$/gms)].map(([, lines]) => lines!);
    const isCopy = (block: string): boolean => block.includes('export RESTIC_REPOSITORY');
    const copies = blocks.filter(isCopy).map((block) => `{ ${block.split('\n').join('; ')}; }`);
    return [...(copies.length === 0 ? [] : [copies.join(' || ')]), ...blocks.filter((block) => !isCopy(block))];
  });
}

/**
 * Types lines in a directory, at a terminal, where age asks for the passphrase; the first that fails ends it.
 * @param shell what runs a file of lines, as words
 * @returns what was seen on the terminal, and whether every line succeeded
 */
export async function typeLines(
  lines: readonly string[],
  {
    directory,
    passphrase,
    env,
    shell = 'sh -e',
  }: { directory: string; passphrase: string; env: Record<string, string>; shell?: string },
): Promise<{ seen: string; isDone: boolean }> {
  // A person's terminal stays open; the end of this one takes no server with it that is about to leave it.
  writeFileSync(join(directory, 'by-hand.sh'), ["trap '' HUP", ...lines, 'echo all done'].join('\n'));
  const terminal = spawn('script', ['-qec', `${shell} by-hand.sh`, '/dev/null'], { cwd: directory, env });
  terminal.stdin.end(`${passphrase}\n`);
  const seen = await text(terminal.stdout);
  return { seen, isDone: seen.includes('all done') };
}
