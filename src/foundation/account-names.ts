import { readFileSync } from 'node:fs';
import { systemCode } from './errors.ts';

/** What the users and groups of this system are called; empty for those that nobody has named. */
export const userName = namesOf('/etc/passwd');
export const groupName = namesOf('/etc/group');

/** Names by number, from a file of `name:password:number:…` lines, read once. Without such a file there are no names. */
function namesOf(file: string): (id: number) => string {
  let names: Map<number, string> | undefined;
  return (id) => {
    names ??= readNames(file);
    return names.get(id) ?? '';
  };
}

function readNames(file: string): Map<number, string> {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
  const lines = text.split('\n').map((line) => line.split(':'));
  return new Map(lines.filter((fields) => fields.length > 2).map(([name = '', , id]) => [Number(id), name]));
}
