import { EXIT } from '../../foundation/errors.ts';
import type { Diagnosis } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { bad, counted, doubtful, faint, good, oneLine, strong } from '../text.ts';

export const doctor: CommandDefinition = {
  name: 'doctor',
  arguments: '[source...]',
  summary: 'say what is missing for backups and alerts, with the line that mends it',
  description:
    'Looks at each source of the plan, at its repository and at the mirrors of that, and says what a backup needs and is not there: whether the server lets one in, what the role may, how the server is set, which programs are on this machine, whether paths can be read and repositories written to. Beside each stands the line that mends it. Of a bucket it says which permission is missing, and, where the plan has objects locked, whether the credentials could lift a lock, which they should not; small objects are written there and removed for that. Of a mirror it says whether it is there, is one of this repository, and can be brought up to date. Of each channel that alerts go to it says whether what the plan refers to is there; with --send-test it sends a test to each and says which took it. Nothing else is changed. When something is missing the exit code is 4; warnings alone are none.',
  examples: [
    { command: 'holdfast doctor', does: 'before the first backup: what is missing?' },
    { command: 'holdfast doctor omni-db --json', does: 'for one source, for a program' },
    { command: 'holdfast doctor --send-test', does: 'does an alert reach every channel?' },
  ],
  options: [{ flags: '--send-test', description: 'send a test to each channel that alerts go to' }],
  exits: [EXIT.missed],
  writes: true,
  async run({ arguments: [sources], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const diagnosis = await operations.diagnose(await workspace(), (sources as string[] | undefined) ?? [], {
      sendTest: options['sendTest'] === true,
    });
    const exit = diagnosis.missing > 0 ? EXIT.missed : EXIT.done;
    return { exit, json: diagnosis, text: describe(diagnosis) };
  },
};

type Finding = Diagnosis['sources'][number]['findings'][number];

const MARKS: Record<Finding['level'], string> = {
  ok: good('ok     '),
  warning: doubtful('warning'),
  missing: bad('missing'),
};

/** What introduces the lines that mend something, by where they go. */
const PLACES: Record<NonNullable<Finding['mend']>['place'], string> = {
  sql: 'run as a superuser',
  'postgresql.conf': "put into the server's postgresql.conf",
  'pg_hba.conf': "put into the server's pg_hba.conf",
  shell: 'run',
  plan: 'put into the plan',
  person: 'to do',
};

function describe({ repositories, sources, channels, missing, warnings }: Diagnosis): string {
  const end = missing > 0 ? bad(`${missing} missing`) : good('nothing is missing');
  return [
    ...repositories.flatMap(({ repository, findings }) => section(`repository ${repository}`, findings)),
    ...sources.flatMap(({ source, findings }) => section(`source ${source}`, findings)),
    ...channels.flatMap(({ channel, type, findings }) => section(`channel ${channel} (${type})`, findings)),
    warnings > 0 ? `${end}, ${doubtful(counted(warnings, 'warning'))}` : end,
  ].join('\n');
}

function section(heading: string, findings: readonly Finding[]): string[] {
  return [strong(heading), ...findings.flatMap(findingLines), ''];
}

function findingLines({ level, about, message, mend }: Finding): string[] {
  const said = oneLine`  ${MARKS[level]}  ${about}: ${message}`;
  if (mend === undefined) return [said];
  const note = mend.note === undefined ? [] : [oneLine`             ${faint(mend.note)}`];
  // Each line stands alone, so that it can be taken over as it is.
  return [
    said,
    oneLine`           ${PLACES[mend.place]}:`,
    ...mend.lines.map((line) => `             ${line}`),
    ...note,
  ];
}
