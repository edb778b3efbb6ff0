import { basename, delimiter, dirname } from 'node:path';
import { EXIT, type ExitCode } from '../../foundation/errors.ts';
import { formatDuration, formatSize } from '../../foundation/units.ts';
import type { DemoReport } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { bad, counted, faint, good, shortId, strong, table } from '../text.ts';

export const demo: CommandDefinition = {
  name: 'demo',
  summary: 'play a disaster and its recovery, on a database of its own',
  description:
    'Starts a PostgreSQL server of its own on a private socket, fills it with a shop, backs it up together with a directory of uploads, and proves the backup. Orders stream in, and the log of the database into the repository. Then a table is dropped, half of another overwritten, the uploads deleted; the database is recovered to the moment before, to a new place, and everything is compared with what was there. Nothing else on this machine is touched, and nothing is left running.',
  options: [
    {
      flags: '--directory <path>',
      description: 'make its directory in this one, instead of the system’s temporary one',
    },
  ],
  examples: [
    { command: 'holdfast demo', does: 'the whole story, in about a minute' },
    { command: 'holdfast demo --json', does: 'what was measured and compared, for a program' },
  ],
  exits: [EXIT.missed],
  writes: true,
  async run({ options, environment, tell }) {
    const { playDemo } = await import('../../operations/index.ts');
    const parent = options['directory'] as string | undefined;
    const report = await playDemo(environment, (chapter) => tell(`${faint('·')} ${chapter}`), parent);
    return { exit: exitOf(report), json: report, text: describe(report) };
  },
};

function exitOf({ actual, objectives, leftovers, verdict }: DemoReport): ExitCode {
  const isInTime = actual.rpoMs <= objectives.rpoMs && actual.rtoMs <= objectives.rtoMs;
  if (verdict !== 'recovered' || !isInTime) return EXIT.missed;
  return leftovers.processes.length === 0 && leftovers.sockets.length === 0 ? EXIT.done : EXIT.failed;
}

function describe(report: DemoReport): string {
  return [
    '',
    section('What was lost', lostTable(report)),
    section('What came back', backTable(report)),
    section('Objectives', objectivesTable(report)),
    verdictLine(report),
    '',
    ...resticSection(report),
    section('Try next', nextSteps(report)),
    leftoversLine(report),
  ].join('\n');
}

function section(title: string, body: string): string {
  return `${strong(title)}\n${body.replace(/^(?=.)/gm, '  ')}\n`;
}

function lostTable({ lost: { dropped, overwritten, deleted } }: DemoReport): string {
  return table([
    ['what', 'happened', 'gone'],
    [`table ${dropped.table}`, 'dropped, with all that hangs on it', counted(dropped.rows, 'row')],
    [
      `table ${overwritten.table}`,
      `${overwritten.column} overwritten`,
      `${counted(overwritten.rows, 'row')} of ${overwritten.ofRows.toLocaleString('en')}`,
    ],
    ['uploads', 'deleted', `${counted(deleted.files, 'file')}, ${formatSize(deleted.bytes)}`],
  ]);
}

function backTable({ comparison, restored, orders }: DemoReport): string {
  const { differences } = comparison;
  const { before, lost, after, tooMany } = orders;
  const rows = [
    ['what', 'compared', 'result', 'restored in'],
    [
      'database',
      `${counted(comparison.tables, 'table')}, ${counted(comparison.rows, 'row')}, indexes, constraints, sequences`,
      judged(differences.database),
      formatDuration(restored.database.durationMs),
    ],
    [
      'orders until then',
      `${counted(before, 'order')}, each acknowledged`,
      lost === 0 ? good('all there') : bad(`${lost} lost`),
      '',
    ],
    ['orders after it', counted(after, 'order'), tooMany === 0 ? good('none there') : bad(`${tooMany} there`), ''],
    [
      'uploads',
      `${counted(comparison.files, 'file')}, ${formatSize(comparison.bytes)}, modes, times, links`,
      judged(differences.uploads),
      formatDuration(restored.uploads.durationMs),
    ],
  ];
  const named = [...differences.database, ...differences.uploads].slice(0, NAMED_DIFFERENCES);
  return [
    table(rows),
    ...named.map(({ name, before, after }) => bad(`${name}: was ${before ?? 'not there'}, is ${after ?? 'gone'}`)),
  ].join('\n');
}

/** As many are named. */
const NAMED_DIFFERENCES = 10;

function judged(differences: readonly unknown[]): string {
  return differences.length === 0 ? good('all equal') : bad(counted(differences.length, 'difference'));
}

function objectivesTable({ objectives, actual }: DemoReport): string {
  const row = (name: string, means: string, promisedMs: number, actualMs: number): string[] => [
    name,
    means,
    formatDuration(promisedMs),
    formatDuration(actualMs),
    actualMs <= promisedMs ? good('met') : bad('missed'),
  ];
  return table([
    ['', '', 'promised', 'actual', ''],
    row('RPO', 'from the recovery point of the database to the disaster', objectives.rpoMs, actual.databaseRpoMs),
    row('RPO', 'the same of the uploads, which were backed up once', objectives.rpoMs, actual.rpoMs),
    row('RTO', 'from the disaster until all was back and compared', objectives.rtoMs, actual.rtoMs),
  ]);
}

function verdictLine({ verdict, totalMs, comparison: { differences } }: DemoReport): string {
  if (verdict !== 'recovered')
    return bad(
      strong(`NOT RECOVERED: ${counted(differences.database.length + differences.uploads.length, 'difference')}`),
    );
  return `${good(strong('RECOVERED'))}: every row and every file is back. The whole story took ${formatDuration(totalMs)}.`;
}

function resticSection({ restic }: DemoReport): string[] {
  if (restic === undefined)
    return [
      faint('Stock restic is not on this machine; with it, the same snapshots can be read without Holdfast.'),
      '',
    ];
  return [
    section(
      `The same snapshots, as stock ${restic.version} sees them`,
      `${restic.snapshots}\n\nrestic check: ${restic.check}`,
    ),
  ];
}

function nextSteps({ world, restored, restic }: DemoReport): string {
  const { directory } = world;
  const holdfast = ownCommand();
  const steps = [
    [`cd ${directory}`, ''],
    [`${holdfast} status`, 'last backup, last proof, RPO and RTO'],
    [`${holdfast} snapshots`, 'what there is'],
    [`${holdfast} ls ${shortId(restored.database.snapshot)}`, 'what the snapshot of the database holds'],
    [`${holdfast} verify`, 'prove it again'],
    [`${holdfast} restore uploads --to ./again`, 'the uploads, to a directory of your own'],
    ...(restic === undefined
      ? []
      : [[`restic -r repository --password-file password snapshots`, 'the same, without Holdfast']]),
  ];
  return [
    `The repository is ${world.repository}; its password is in ${world.passwordFile}.`,
    `${basename(world.plan)} there is an example of a plan. Remove ${directory} when you are done.`,
    '',
    ...aligned(steps),
  ].join('\n');
}

function aligned(steps: string[][]): string[] {
  const width = Math.max(...steps.map(([command = '']) => command.length));
  return steps.map(([command = '', does = '']) =>
    does === '' ? command : `${command.padEnd(width)}  ${faint(`# ${does}`)}`,
  );
}

/** How this program is started from here: by its name where it is on the PATH, else by where it lies. */
function ownCommand(): string {
  const own = process.argv[1] ?? 'holdfast';
  const onPath = (process.env['PATH'] ?? '').split(delimiter).includes(dirname(own));
  return onPath ? basename(own) : own;
}

function leftoversLine({ leftovers }: DemoReport): string {
  const { processes, sockets } = leftovers;
  if (processes.length === 0 && sockets.length === 0) return faint('Nothing of the demo is running any more.');
  return bad(`Still there: ${[...processes.map((pid) => `process ${pid}`), ...sockets].join(', ')}`);
}
