/** The dependencies, as package.json asks for them and package-lock.json holds them. */

import { type Finding, lineAt, type TextFile } from './finding.ts';

/** Addresses in the lock file would bind everybody to the registry that its last author used. */
export function checkLockFile({ path, text }: TextFile): Finding[] {
  return [...text.matchAll(/"resolved": "\w+:\/\/[^"]*"/g)].map((match) => ({
    file: path,
    line: lineAt(text, match.index),
    message: 'an address in the lock file: it binds everybody to one registry; npm leaves it out on request',
  }));
}

export function checkManifest({ path, text }: TextFile): Finding[] {
  const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>;
  const groups = ['dependencies', 'devDependencies', 'optionalDependencies'];
  return groups.flatMap((group) =>
    Object.entries(manifest[group] ?? {})
      .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
      .map(([name, version]) => ({
        file: path,
        line: lineAt(text, Math.max(0, text.indexOf(`"${name}": "${version}"`))),
        message: `${name} is asked for as "${version}": pin one version, so that what is tested is what is installed`,
      })),
  );
}
