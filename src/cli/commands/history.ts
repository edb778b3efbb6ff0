import { EXIT } from '../../foundation/errors.ts';
import { formatSize } from '../../foundation/units.ts';
import type { History, HistoryPoint } from '../../operations/index.ts';
import { AS_OF } from '../as-of.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { bad, counted, doubtful, faint, oneLine, shortId, shownTime, table } from '../text.ts';

export const history: CommandDefinition = {
  name: 'history',
  arguments: '<source> [item]',
  summary: 'say how much each recovery point has of what, and when something vanished',
  description:
    'Says how many rows, documents, keys or files each recovery point of a source has, in all or of one table, collection or directory, and names what vanished or became less by more than 20 % from one to the next, with the last recovery point before that. Only manifests and lists of files are read. Of a cluster, whose backup has no counts, those of its proofs are shown by database; what nobody counted is unknown.',
  options: [AS_OF, { flags: '--repository <name>', description: 'read from this repository, mirror or archive' }],
  examples: [
    { command: 'holdfast history omni-db', does: 'when did a table vanish, and what is the last backup with it?' },
    { command: 'holdfast history omni-db public.orders', does: 'the rows of one table over time' },
    { command: 'holdfast history uploads /srv/uploads/2026 --json', does: 'the files of a directory, for a program' },
  ],
  exits: [...LOCKING_EXITS],
  writes: true,
  async run({ arguments: [source, item], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const found = await operations.history(await workspace(), {
      source: source as string,
      ...(item !== undefined && { item: item as string }),
      ...(options['repository'] !== undefined && { repository: options['repository'] as string }),
    });
    return { exit: EXIT.done, json: found, text: describe(found) };
  },
};

function describe({ source, item, points, losses, notes }: History): string {
  if (points.length === 0) return [`${source} has no recovery point`, ...notes].join('\n');
  const rows = points.map((point) => [shownTime(point.time), shortId(point.snapshot), ...cellsOf(point, item)]);
  const lines = losses.map(({ item: name, kind, before, after, returned }) => {
    const from = `${name} ${bad(kind)} between ${shownTime(before.time)} and ${shownTime(after.time)}`;
    const amounts = `${counted(before.count, before.unit.replace(/s$/, ''))} before, ${after.count.toLocaleString('en')} after`;
    const back = returned === undefined ? '' : `; there again at ${shownTime(returned.time)}`;
    return oneLine`${from}: ${amounts}; the last with it is snapshot ${shortId(before.snapshot)}${back}`;
  });
  const heading = ['time', 'snapshot', 'items', 'count', 'size', ''];
  return [table([heading, ...rows], { right: [2, 3, 4] }), ...lines, ...notes].join('\n');
}

function cellsOf(point: HistoryPoint, item: string | undefined): string[] {
  if (point.from === 'unknown') return ['', doubtful('unknown'), '', faint(point.reason ?? '')];
  const whole = point.items.filter(({ within }) => within === undefined);
  if (whole.length === 0) return ['0', item === undefined ? '0' : bad('not there'), '', ''];
  const bytes = whole.reduce((sum, each) => sum + (each.bytes ?? 0), 0);
  const count = whole.reduce((sum, each) => sum + each.count, 0);
  const isSized = whole.some((each) => each.bytes !== undefined);
  const hints = [
    ...(point.outcome === 'partial' ? ['partial'] : []),
    ...(point.from === 'proof' ? ['by its proof'] : []),
  ];
  return [
    whole.length.toLocaleString('en'),
    counted(count, whole[0]!.unit.slice(0, -1)),
    isSized ? formatSize(bytes) : '',
    doubtful(hints.join(', ')),
  ];
}
