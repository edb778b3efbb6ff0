import { lstat, open, opendir, realpath } from 'node:fs/promises';
import { messageOf, systemCode } from '../../foundation/errors.ts';
import { currentUser } from '../../foundation/user.ts';
import type { Finding } from '../index.ts';

/** Whether a path of the plan is there and may be read. What lies in it a backup looks at itself, and names. */
export async function examinePath(path: string): Promise<Finding> {
  try {
    const stats = await lstat(path);
    if (stats.isSymbolicLink()) return await linkFinding(path);
    // Tried, and not asked for: permissions alone do not say it, with access control lists, and for root.
    if (stats.isDirectory()) await readOneEntry(path);
    else if (stats.isFile()) await (await open(path)).close();
    return {
      level: 'ok',
      about: path,
      message: stats.isDirectory() ? 'is a directory that can be read' : 'can be read',
    };
  } catch (error) {
    return refusal(path, error);
  }
}

async function readOneEntry(directory: string): Promise<void> {
  await using entries = await opendir(directory);
  await entries.read();
}

/** As a backup has it, which is partial then. */
async function linkFinding(path: string): Promise<Finding> {
  const target = await realpath(path);
  return {
    level: 'missing',
    about: path,
    message: `is a symbolic link, and only the link is backed up, not ${target}, where it leads to`,
    mend: { place: 'plan', lines: [`- ${JSON.stringify(target)}`], note: `In \`paths:\`, instead of ${path}.` },
  };
}

function refusal(path: string, error: unknown): Finding {
  switch (systemCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return {
        level: 'missing',
        about: path,
        message: 'does not exist',
        mend: { place: 'person', lines: ['Correct the path in the plan, or mount what should be there.'] },
      };
    case 'EACCES':
    case 'EPERM': {
      const line = `setfacl --recursive --modify ${shellWord(`u:${currentUser().username}:rX`)} ${shellWord(path)}`;
      const note = 'As its owner or root. Whatever leads to it must let the user pass as well.';
      return {
        level: 'missing',
        about: path,
        message: `cannot be read: ${messageOf(error)}`,
        mend: { place: 'shell', lines: [line], note },
      };
    }
    default:
      return { level: 'missing', about: path, message: `cannot be read: ${messageOf(error)}` };
  }
}

function shellWord(text: string): string {
  return /^[\w./:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
