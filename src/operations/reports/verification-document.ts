import { formatDuration, formatSize } from '../../foundation/units.ts';
import { type Document, list, paragraph, section, table } from '../../report/index.ts';
import type { ProofReport, SourceReport, VerificationReport } from './verification-report.ts';

/** The report for people. Pure. */
export function verificationDocument(report: VerificationReport): Document {
  const { plan, from, until, sources, verifications, groups, checks, attention } = report;
  const proofs = sources.flatMap((each) => each.proofs.map((proof) => proofRow(each, proof)));
  return {
    title: `Verification of ${plan}, ${day(from)} to ${day(until)}`,
    blocks: [
      paragraph(verdict(report), attention.length === 0 ? 'good' : 'bad'),
      ...section('What needs attention', list(attention)),
      ...section(
        'Sources',
        table(
          SOURCE_COLUMNS,
          sources.map((each) => sourceRow(each, until)),
        ),
      ),
      ...section('Proofs', table(PROOF_COLUMNS, proofs, 'No recovery point was restored in this time.')),
      ...section(
        'Verifications of the plan',
        table(
          ['Name', 'Schedule', 'As it should', 'Otherwise', 'Missed'],
          verifications.map(({ name, schedule, done, failed, missed }) => [
            name,
            schedule,
            ...[done, failed, missed].map(String),
          ]),
          'The plan has none.',
        ),
      ),
      ...section(
        'Groups to one moment',
        table(
          ['When', 'Group', 'Moment', 'Result'],
          groups.map(({ at, group, moment, state, checksFailed }) => [
            minute(at),
            group,
            moment,
            [state, ...checksFailed].join(', '),
          ]),
        ),
      ),
      ...section(
        'Integrity of repositories',
        table(
          ['When', 'Repository', 'Data read', 'Result'],
          checks.map(({ at, repository, read, clean, errors }) => [
            minute(at),
            repository,
            read,
            clean ? 'clean' : `${errors} errors`,
          ]),
          'No repository was checked in this time.',
        ),
      ),
      paragraph(`From ${from} up to ${until}; ages are those at the end of this time. Times are UTC.`),
    ],
  };
}

function verdict({ sources, attention }: VerificationReport): string {
  const proofs = sources.flatMap((each) => each.proofs);
  const count = (state: ProofReport['state']): number => proofs.filter((proof) => proof.state === state).length;
  const counts = `Recovery points proven: ${count('proven')}; failed: ${count('failed')}; not provable here: ${count('not-provable')}.`;
  const end = attention.length === 0 ? 'Nothing needs attention.' : `Needs attention: ${attention.length}.`;
  return `${counts} ${end}`;
}

const SOURCE_COLUMNS = [
  'Source',
  'Recovery points',
  'Newest',
  'Newest proven',
  'RPO / promised',
  'Proven / promised',
  'RTO measured / promised',
];

function sourceRow(
  { source, snapshots, newest, newestProven, actual, objectives, missed }: SourceReport,
  until: string,
): string[] {
  const untilMs = Date.parse(until);
  const aged = (time: string | undefined): string =>
    time === undefined ? 'none' : `${minute(time)} (${formatDuration(Math.max(0, untilMs - Date.parse(time)))} old)`;
  const against = (value: number | undefined, promised: number | undefined, isMissed: boolean): string => {
    const [is, was] = [value, promised].map((each) => (each === undefined ? '–' : formatDuration(each)));
    return `${is} / ${was}${isMissed ? ' MISSED' : ''}`;
  };
  return [
    source,
    String(snapshots),
    aged(newest),
    aged(newestProven),
    against(actual.rpoMs, objectives.rpoMs, missed.includes('rpo')),
    against(actual.provenRpoMs, objectives.proofMs, missed.includes('proof')),
    against(actual.rtoMs, objectives.rtoMs, missed.includes('rto')),
  ];
}

const PROOF_COLUMNS = [
  'When',
  'Source',
  'Recovery point',
  'Result',
  'Checks',
  'Counted',
  'Data',
  'Restore',
  'Validation',
  'RTO',
];

function proofRow({ source, objectives }: SourceReport, proof: ProofReport): string[] {
  const { at, snapshot, log, time, ageMs, state, checksPassed, checksFailed, counts = [], withinRto, part } = proof;
  const moment =
    time === undefined ? '' : ` of ${minute(time)}${ageMs === undefined ? '' : `, ${formatDuration(ageMs)} old`}`;
  const kind = log === undefined ? 'snapshot' : `its log to ${log.target}, from snapshot`;
  const tables = counts.reduce((sum, each) => sum + each.tables, 0);
  const rows = counts.reduce((sum, each) => sum + each.rows, 0);
  const failed = checksFailed.length === 0 ? '' : `; failed: ${checksFailed.join(', ')}`;
  const promised = objectives.rtoMs === undefined ? '–' : formatDuration(objectives.rtoMs);
  return [
    minute(at),
    source,
    `${part === true ? 'a part, ' : ''}${kind} ${snapshot.slice(0, 8)}${moment}`,
    state === 'not-provable' ? `not provable here: ${proof.reason ?? ''}` : state,
    `${checksPassed} passed${failed}`,
    counts.length === 0 ? '–' : `${rows.toLocaleString('en')} rows in ${tables} tables`,
    formatSize(proof.bytes),
    formatDuration(proof.restoreMs),
    formatDuration(proof.validateMs),
    withinRto === undefined
      ? `${formatDuration(proof.durationMs)} / ${promised}`
      : `${formatDuration(proof.durationMs)} / ${promised}${withinRto ? '' : ' MISSED'}`,
  ];
}

function day(time: string): string {
  return time.slice(0, 10);
}

function minute(time: string): string {
  return new Date(time).toISOString().slice(0, 16).replace('T', ' ');
}
