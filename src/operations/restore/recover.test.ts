import { describe, expect, it } from 'vitest';
import { testRepository } from '../../../test/support/repository.ts';
import { systemClock } from '../../foundation/clock.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { noProgress } from '../../foundation/progress.ts';
import type { RecoveryEnd, SandboxTarget } from '../../sandbox/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { StoredLog } from '../log/stored-log.ts';
import type { Workspace } from '../workspace.ts';
import { LogReplay } from './recover.ts';
import type { RecoveryPoint } from './recovery-point.ts';
import type { RecoveryTarget } from './recovery-target.ts';

const SEGMENT_BYTES = 16 * 1024 * 1024;
const TIME: RecoveryTarget = { kind: 'time', timeMs: Date.UTC(2026, 0, 31) };

/** Replays to a target on a server that answers so, one attempt after the other. The log reaches 0/9000100. */
async function replay(target: RecoveryTarget, answers: (RecoveryEnd | Error)[]) {
  const repository = await testRepository(new MemoryStore());
  const signal = new AbortController().signal;
  const environment = { clock: systemClock, signal } as Workspace['environment'];
  const workspace = { plan: { name: 'shop' }, environment } as Workspace;
  const log = await StoredLog.read(repository, { plan: 'shop', source: 'db' }, async () => []);
  const reach = { timeline: 1, lsn: 0x9000100n };
  const point = { system: '7', reach, segmentBytes: SEGMENT_BYTES, target, log, base: { id: 'a'.repeat(64) } };
  const planned = { name: 'db' } as ConstructorParameters<typeof LogReplay>[2]['planned'];
  const asked = { planned, point: point as RecoveryPoint };
  const replaying = new LogReplay(workspace, { repository }, asked, noProgress);
  const serve: NonNullable<SandboxTarget['serve']> = async () => {
    const answer = answers.shift();
    if (answer === undefined || answer instanceof Error) throw answer;
    return { target: { kind: 'database', url: '', label: '', sandbox: true }, recovery: answer };
  };
  return replaying.run({ serve } as SandboxTarget);
}

const endedBefore = () =>
  new HoldfastError('target-failed', 'FATAL: recovery ended before configured recovery target was reached');

describe('a replay of a log', () => {
  it('is one when the server came to the last segments', async () => {
    await expect(replay({ kind: 'latest' }, [{ redoneLsn: '0/90000D8' }])).resolves.toMatchObject({
      reached: 'came to the end of the log',
    });
    // The last segment has only begun.
    await expect(replay({ kind: 'latest' }, [{ redoneLsn: '0/8FFFF00' }])).resolves.toBeDefined();
    await expect(replay(TIME, [endedBefore(), { redoneLsn: '0/90000D8' }])).resolves.toMatchObject({
      reached: expect.stringContaining('nothing was committed'),
    });
  });

  it.each<[string, RecoveryTarget, (RecoveryEnd | Error)[]]>([
    ['the end of the log', { kind: 'latest' }, [{ redoneLsn: '0/7FFFFF8' }]],
    ['the end of the log, of which it says nothing', { kind: 'latest' }, [{}]],
    ['a time behind the last commit', TIME, [endedBefore(), { redoneLsn: '0/3000028' }]],
  ])('fails when the server ended before it came to %s', async (_, target, answers) => {
    await expect(replay(target, answers)).rejects.toMatchObject({ code: 'target-failed' });
  });

  it('needs no more when the server says at what it stopped', async () => {
    const end = { stopped: 'stopping before commit of transaction 7', redoneLsn: '0/3000028' };
    await expect(replay(TIME, [end])).resolves.toMatchObject({ reached: end.stopped });
  });
});
