/** Whether what the documents point to is there: files, headings, commands. */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { type Finding, lineAt, type TextFile } from './finding.ts';

const LINK = /\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s+(\S+)/gm;

/** Links to files of the project, and to headings in them, that lead nowhere. */
export function checkLinks(root: string, { path, text }: TextFile): Finding[] {
  const prose = withoutCode(text);
  return [...prose.matchAll(LINK)].flatMap((match) => {
    const target = match[1] ?? match[2] ?? '';
    // A scheme: the network is nobody's to ask here.
    if (/^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(target)) return [];
    const problem = problemOfLink(root, path, target);
    return problem === undefined ? [] : [{ file: path, line: lineAt(prose, match.index), message: problem }];
  });
}

function problemOfLink(root: string, from: string, target: string): string | undefined {
  const [file = '', heading] = decodeURIComponent(target).split('#');
  const path = file === '' ? from : normalize(join(file.startsWith('/') ? '' : dirname(from), file));
  if (!existsSync(join(root, path))) return `a link to ${target}, which is not there: the reader is left standing`;
  if (!heading || !path.endsWith('.md')) return undefined;
  if (headingIds(readFileSync(join(root, path), 'utf8')).has(heading)) return undefined;
  return `a link to ${target}, a heading that is not there: the reader is left searching`;
}

/** The ids that headings get on the web: lower case, punctuation gone, spaces as hyphens. */
function headingIds(text: string): Set<string> {
  const titles = [...withoutCodeBlocks(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map((match) => match[1] ?? '');
  return new Set(
    titles.map((title) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    ),
  );
}

/**
 * Commands that documents name and the command line does not have. `commands` holds full names, such as `plan check`;
 * without it nothing is known, and nothing is found.
 */
export function checkCommands({ path, text }: TextFile, commands: ReadonlySet<string> | undefined): Finding[] {
  if (commands === undefined) return [];
  const named = [...text.matchAll(/(?:`|^|\$ |bin\/)holdfast (?:--\S+ )*([a-z][a-z-]*)(?: ([a-z][a-z-]*))?/gm)];
  return named.flatMap((match) => {
    const [, first = '', second] = match;
    if (commands.has(first) || commands.has(`${first} ${second}`)) return [];
    const isGroup = second === undefined && [...commands].some((command) => command.startsWith(`${first} `));
    if (isGroup) return [];
    const message = `names the command "${first}", which the command line does not have`;
    return [{ file: path, line: lineAt(text, match.index), message }];
  });
}

/** The text with code blanked out, lines and columns kept. */
function withoutCode(text: string): string {
  return withoutCodeBlocks(text).replace(/`[^`\n]*`/g, blank);
}

function withoutCodeBlocks(text: string): string {
  return text.replace(/^(```+|~~~+)[^\n]*\n[\s\S]*?^\1/gm, blank);
}

function blank(code: string): string {
  return code.replace(/[^\n]/g, ' ');
}
