/**
 * What a linter does not look at: `node scripts/tidy.ts [DIRECTORY]`. Prints `file:line: what and why`, and fails when
 * there is anything to print. A comment `tidy-allow: why`, on the line or the one before it, makes an exception.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { COMMAND_NAMES } from '../src/cli/registry.ts';
import type { Finding, TextFile } from './tidy/finding.ts';
import { checkCommands, checkLinks } from './tidy/markdown.ts';
import { checkLockFile, checkManifest } from './tidy/packages.ts';
import { checkSource, isSource } from './tidy/source.ts';
import { checkText } from './tidy/text.ts';

/** Made, not written; and what tests keep as it came from elsewhere. */
const LEFT_OUT = /(?:^|\/)(?:node_modules|dist|coverage|\.git|fixtures)(?:\/|$)/;

const commands = new Set(COMMAND_NAMES);
const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
const findings = projectFiles(root).flatMap((file) => checkFile(root, file));
for (const { file, line, message } of findings) console.log(`${file}:${line}: ${message}`);
if (findings.length > 0) {
  console.log(`tidy: ${findings.length} to put right`);
  process.exitCode = 1;
}

function checkFile(root: string, file: TextFile): Finding[] {
  const { path } = file;
  const findings = checkText(file);
  if (isSource(path)) findings.push(...checkSource(file));
  if (path.endsWith('.md')) findings.push(...checkLinks(root, file), ...checkCommands(file, commands));
  if (path === 'package-lock.json') findings.push(...checkLockFile(file));
  if (path === 'package.json') findings.push(...checkManifest(file));
  return findings;
}

function projectFiles(root: string): TextFile[] {
  return listFiles(root)
    .filter((path) => !LEFT_OUT.test(path) && existsSync(join(root, path)) && statSync(join(root, path)).isFile())
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
    .filter(({ text }) => !text.includes('\0'));
}

/** What git keeps or would keep; every file where there is no git. */
function listFiles(root: string): string[] {
  if (!existsSync(join(root, '.git'))) {
    return readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  }
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`git does not list the files: ${stderr}`);
  return stdout.split('\0').filter((path) => path !== '');
}
