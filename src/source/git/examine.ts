import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../foundation/errors.ts';
import { type Finding, findingOfError } from '../index.ts';
import { type Remote, readRefs } from './remote.ts';

/** Whether git is here, and the repository can be read. */
export async function examineRepository(
  reach: (scratchDirectory: string) => Promise<Remote>,
  signal: AbortSignal,
): Promise<Finding[]> {
  signal.throwIfAborted();
  const scratchDirectory = await makeScratch();
  try {
    const remote = await reach(scratchDirectory);
    const version = (await remote.git.output(['version'])).trim();
    const { refs, head } = await readRefs(remote);
    const findings: Finding[] = [
      { level: 'ok', about: 'git', message: version },
      {
        level: 'ok',
        about: 'repository',
        message: `${remote.address.url} can be read, and names ${refs.size} ${refs.size === 1 ? 'reference' : 'references'}`,
      },
    ];
    if (head === undefined && refs.size > 0)
      findings.push({
        level: 'warning',
        about: 'HEAD',
        message: 'leads to a branch that does not exist; a restored repository leads to main',
      });
    if (remote.address.protocol === 'git' || remote.address.protocol === 'http')
      findings.push({
        level: 'warning',
        about: 'url',
        message: 'is neither encrypted nor authenticated: what is fetched may be anybody’s',
        mend: { place: 'person', lines: ['Use https:// or ssh:// where the server has it.'] },
      });
    return findings;
  } catch (error) {
    signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    return [findingOfError('repository', error)];
  } finally {
    await rm(scratchDirectory, { recursive: true, force: true });
  }
}

/** A directory of mode 0700 for what takes place outside of a backup; one that is left behind goes as any scratch does. */
export function makeScratch(): Promise<string> {
  return mkdtemp(join(tmpdir(), `holdfast-scratch-${process.pid}-`));
}
