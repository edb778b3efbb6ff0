import { resolve } from 'node:path';
import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import { formatSize, parseDuration, parseSize } from '../../foundation/units.ts';
import type { Followed, FollowSettings } from '../../operations/index.ts';
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
    {
      flags: '--every <duration>',
      description: 'how often what came is made durable (default: as the plan has it, else 5s; at least 1s)',
    },
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
      description: 'warn when a server keeps so much of its log for us (default: as the plan has it, else 1GiB)',
    },
    {
      flags: '--spool <directory>',
      description:
        'where the log waits while its repository is away; without one, here or in the plan, only the server keeps it',
    },
    {
      flags: '--spool-limit <size>',
      description: 'how much of this disk the spool may take (default: as the plan has it, else 10GiB)',
    },
    { flags: '--look-every <duration>', description: 'how often to look what a server keeps (default: 30s)' },
    {
      flags: '--release-at <size>',
      description:
        'tell a server that keeps so much of its log for us to keep nothing: it comes first (default: as the plan has it, else never)',
    },
  ],
  examples: [
    { command: 'holdfast follow', does: 'capture what is to be captured continuously of all sources' },
    { command: 'holdfast follow omni-db --every 1s', does: 'lose a second at most' },
  ],
  exits: LOCKING_EXITS,
  writes: true,
  async run({ arguments: [names], options, directory, workspace }) {
    const operations = await import('../../operations/index.ts');
    const asked = askedOf(options, directory);
    const { sources, mirrors } = await operations.follow(await workspace(), (names ?? []) as string[], asked);
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

/** What was asked for, and no more: the rest is as the plan, or the program, has it. */
function askedOf(options: Invocation['options'], directory: string): Partial<FollowSettings> {
  const { spool } = options;
  const settings = {
    everyMs: durationOf(options, 'every', SHORTEST_MS),
    scanEveryMs: durationOf(options, 'scanEvery'),
    foldAfterMs: durationOf(options, 'foldAfter'),
    foldAfterBytes: sizeOf(options, 'foldSize'),
    warnRetainedBytes: sizeOf(options, 'warnRetained'),
    lookEveryMs: durationOf(options, 'lookEvery'),
    releaseRetainedBytes: sizeOf(options, 'releaseAt'),
    spoolLimitBytes: sizeOf(options, 'spoolLimit'),
    spoolDirectory: typeof spool === 'string' ? resolve(directory, spool) : undefined,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

function durationOf(options: Invocation['options'], name: string, leastMs = 1): number | undefined {
  const given = options[name];
  if (given === undefined) return undefined;
  const durationMs = parseDuration(String(given));
  if (durationMs !== undefined && durationMs >= leastMs) return durationMs;
  if (durationMs !== undefined && durationMs > 0) {
    throw new HoldfastError('bad-usage', `${JSON.stringify(given)} is too short`, {
      hint: `Write ${leastMs / 1000}s or more: what came is made durable each time.`,
    });
  }
  throw new HoldfastError('bad-usage', `${JSON.stringify(given)} is no duration`, {
    hint: 'Write one such as `5s` or `10m`.',
  });
}

function sizeOf(options: Invocation['options'], name: string): number | undefined {
  const given = options[name];
  if (given === undefined) return undefined;
  const sizeBytes = parseSize(String(given));
  if (sizeBytes !== undefined && sizeBytes > 0) return sizeBytes;
  throw new HoldfastError('bad-usage', `${JSON.stringify(given)} is no size`, { hint: 'Write one such as `64MiB`.' });
}
