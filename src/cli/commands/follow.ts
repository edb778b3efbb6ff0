import { resolve } from 'node:path';
import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import { formatSize, parseDuration, parseSize } from '../../foundation/units.ts';
import type { Followed } from '../../operations/index.ts';
import type { CommandDefinition, Invocation } from '../command.ts';
import { errorDetails, indent } from '../errors.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { describeMirror } from '../mirror-text.ts';
import { bad, counted, doubtful, good, oneLine } from '../text.ts';

const SHORTEST_MS = 1000;

export const follow: CommandDefinition = {
  name: 'follow',
  arguments: '[source...]',
  summary: 'capture logs and changes continuously, until interrupted',
  description:
    'Follows the sources of these names, or all that have a log to be captured or `schedule: continuous`. Of files it watches what changes, and takes a snapshot of that within seconds (`--every`); everything is looked at when it begins, now and then (`--scan-every`), and whenever the system lost track of what changed; snapshots are thinned out as the plan has it. Of databases it captures the log as it is written: with `wal: stream` the write-ahead log of PostgreSQL, through a replication slot of its own, where the server keeps it until the repository has it; with `stream: true` the replication stream of Redis, as a replica of it, which keeps as much as its backlog holds. What came is durable after a few seconds, and becomes a snapshot after some minutes. A server or repository that is away is waited for. A part of the log that the server does not have any more is recorded as a gap, behind which Redis is backed up anew. Mirrors of the repository get what came as soon as it is durable, and all else when the log becomes a snapshot; one that is away stops nothing and catches up. Ends when it is interrupted, with everything stored that came.',
  options: [
    { flags: '--every <duration>', description: 'how often what came is made durable (default: 5s, at least 1s)' },
    {
      flags: '--scan-every <duration>',
      description: 'how often all watched files are looked at, whatever was told of them (default: 1h)',
    },
    {
      flags: '--fold-after <duration>',
      description: 'how old the tail gets before it becomes a snapshot (default: 5m)',
    },
    {
      flags: '--fold-size <size>',
      description: 'how large the tail gets before it becomes a snapshot (default: 64MiB)',
    },
    {
      flags: '--warn-retained <size>',
      description: 'warn when a server keeps so much of its log for us (default: 1GiB)',
    },
    {
      flags: '--spool <directory>',
      description: 'where the log waits while its repository is away; without one, only the server keeps it',
    },
    { flags: '--spool-limit <size>', description: 'how much of this disk the spool may take (default: 10GiB)' },
    { flags: '--look-every <duration>', description: 'how often to look what a server keeps (default: 30s)' },
    {
      flags: '--release-at <size>',
      description:
        'tell a server that keeps so much of its log for us to keep nothing: it comes first (default: 64GiB)',
    },
  ],
  examples: [
    { command: 'holdfast follow', does: 'capture what is to be captured continuously of all sources' },
    { command: 'holdfast follow omni-db --every 1s', does: 'lose a second at most' },
  ],
  exits: LOCKING_EXITS,
  writes: true,
  async run({ arguments: [names], options, directory, workspace }) {
    const settings = {
      everyMs: Math.max(SHORTEST_MS, durationOf(options, 'every', '5s')),
      scanEveryMs: durationOf(options, 'scanEvery', '1h'),
      foldAfterMs: durationOf(options, 'foldAfter', '5m'),
      foldAfterBytes: sizeOf(options, 'foldSize', '64MiB'),
      warnRetainedBytes: sizeOf(options, 'warnRetained', '1GiB'),
      lookEveryMs: durationOf(options, 'lookEvery', '30s'),
      releaseRetainedBytes: sizeOf(options, 'releaseAt', '64GiB'),
    };
    const spool = options['spool'];
    const limitBytes = sizeOf(options, 'spoolLimit', '10GiB');
    const operations = await import('../../operations/index.ts');
    const { sources, mirrors } = await operations.follow(await workspace(), (names ?? []) as string[], {
      ...settings,
      ...(typeof spool === 'string' && { spool: { path: resolve(directory, spool), limitBytes } }),
    });
    return {
      exit: operations.followExit(sources),
      json: { sources, ...(mirrors.length > 0 && { mirrors }) },
      text: [...sources.map(describe), ...mirrors.map(describeMirror)].join('\n'),
    };
  },
};

function describe(followed: Followed): string {
  const { source, gaps, error } = followed;
  const stored = storedBy(followed);
  const lines = gaps.map(({ start, end }) => doubtful(`  a gap from ${start} to ${end}: take a backup`));
  if (error === undefined || error.exitCode === EXIT.interrupted)
    return [`${good('stopped')}  ${source}: ${stored}`, ...lines].join('\n');
  const failed = [
    oneLine`${bad('failed')}   ${source}: ${error.message}`,
    ...errorDetails(error).map(indent),
    `  ${stored}`,
  ];
  return [...failed, ...lines].join('\n');
}

function storedBy({ lsn, bytes, snapshots = 0, snapshot = '' }: Followed): string {
  if (snapshots > 0)
    return `${counted(snapshots, 'snapshot')}, the newest ${snapshot.slice(0, 8)}, ${formatSize(bytes)}`;
  return lsn === undefined ? 'nothing is stored' : `stored until ${lsn}, ${formatSize(bytes)} by this run`;
}

function durationOf(options: Invocation['options'], name: string, fallback: string): number {
  const given = String(options[name] ?? fallback);
  const durationMs = parseDuration(given);
  if (durationMs !== undefined && durationMs > 0) return durationMs;
  throw new HoldfastError('bad-usage', `${JSON.stringify(given)} is no duration`, {
    hint: 'Write one such as `5s` or `10m`.',
  });
}

function sizeOf(options: Invocation['options'], name: string, fallback: string): number {
  const given = String(options[name] ?? fallback);
  const sizeBytes = parseSize(given);
  if (sizeBytes !== undefined && sizeBytes > 0) return sizeBytes;
  throw new HoldfastError('bad-usage', `${JSON.stringify(given)} is no size`, { hint: 'Write one such as `64MiB`.' });
}
