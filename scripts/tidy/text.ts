/** What no text file of the project may hold, line by line. */

import type { Finding, TextFile } from './finding.ts';

const RULES: { pattern: RegExp; message: string }[] = [
  { pattern: /[ \t]+$/, message: 'trailing spaces: they make differences that nobody sees' },
  // tidy-allow: the rule names what it looks for
  { pattern: /\b(?:TODO|FIXME)\b/, message: 'unfinished work: finish it, or describe it where work is tracked' },
  {
    pattern: /(?<![\w.*~-])\/(?:work|root|home\/[a-z]\w*|Users\/\w+)\//,
    message: "a path of somebody's machine: it leads nowhere on another",
  },
  { pattern: /\.\.\/shared\//, message: 'a path outside of the project: it leads nowhere in a clone' },
  {
    pattern:
      /\b(?:registry|index|deb|pypi|proxy|mirrors?|packages|repo\d?)\.(?!example\b)[a-z0-9-]+\.(?:org|com|io|net|dev)\b/i,
    message: "a package registry's host: the machine's own settings say where packages come from",
  },
];

/** On the line itself or the one before it; what follows must say why. */
const ALLOWANCE = /tidy-allow: \w+/;

/** Files in which spaces and words are somebody else's. */
const FOREIGN = /(?:^|\/)(?:package-lock\.json|LICENSE)$/;

export function checkText({ path, text }: TextFile): Finding[] {
  if (FOREIGN.test(path) || text === '') return [];
  const lines = text.split('\n');
  const findings = lines.flatMap((line, index) =>
    isAllowed(lines, index) ? [] : checkLine(line).map((message) => ({ file: path, line: index + 1, message })),
  );
  if (!text.endsWith('\n')) {
    findings.push({
      file: path,
      line: lines.length,
      message: 'no newline at the end: the next line added changes two',
    });
  }
  return findings;
}

/** Whether a comment says why the rules may be broken at a line, counted from 0. */
export function isAllowed(lines: readonly string[], index: number): boolean {
  return ALLOWANCE.test(lines[index] ?? '') || ALLOWANCE.test(lines[index - 1] ?? '');
}

function checkLine(line: string): string[] {
  return RULES.filter(({ pattern }) => pattern.test(line)).map(({ message }) => message);
}
