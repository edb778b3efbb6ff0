import { cpSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The project's own root. */
export const projectRoot = join(import.meta.dirname, '..', '..');

/** A directory with these files, by path. */
export function fixtureTree(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'tree-'));
  for (const [path, text] of Object.entries(files)) addFile(root, path, text);
  return root;
}

export function addFile(root: string, path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** A directory with copies of the project's own `paths`, and its dependencies. */
export function copyOfProject(...paths: string[]): string {
  const root = mkdtempSync(join(tmpdir(), 'copy-'));
  for (const path of paths) cpSync(join(projectRoot, path), join(root, path), { recursive: true });
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
  return root;
}
