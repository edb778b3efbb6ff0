import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { systemCode } from './errors.ts';

/**
 * What tells this machine, since it was started, from others, also where they have the same name: process numbers mean the
 * same where it is the same, and nothing elsewhere. Containers have numbers of their own.
 */
export async function machineIdentity(): Promise<string> {
  const parts = await Promise.all([
    orNothing(readFile('/proc/sys/kernel/random/boot_id', 'utf8')),
    orNothing(readlink('/proc/self/ns/pid')),
  ]);
  return [hostname(), ...parts.map((part) => part.trim())].join(' ');
}

/** Not every system tells. */
async function orNothing(read: Promise<string>): Promise<string> {
  try {
    return await read;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return '';
  }
}
