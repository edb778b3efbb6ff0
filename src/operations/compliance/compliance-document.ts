/** The compliance report for people. Pure. */
import { type Block, chapter, type Document, list, paragraph, table } from '../../report/index.ts';
import type { ComplianceReport, LedgerStanding } from './compliance-report.ts';
import { FRAMEWORK_NAMES } from './controls.ts';
import type { Finding } from './findings.ts';
import type { Claim } from './observation.ts';
import type { Breach } from './watching.ts';

/** So many events of a claim are named; all of them are in the figures. */
const NAMED_EVENTS = 3;
/** So many faults of a ledger are named on the first page. */
const NAMED_FAULTS = 5;
const ID_LENGTH = 8;

const STATES: Record<Finding['state'], string> = {
  carried: 'carried',
  partly: 'in part',
  'not-carried': 'NOT carried',
  'not-called-for': 'no occasion',
};

export function complianceDocument(report: ComplianceReport): Document {
  const { plan, from, until, frameworks, findings, breaches } = report;
  return {
    title: `Compliance of ${plan}, ${from.slice(0, 10)} to ${until.slice(0, 10)}`,
    blocks: [
      ...firstPage(report),
      ...findings.flatMap(findingBlocks),
      ...(frameworks.includes('gdpr') ? chapter('Register of breaches', breachBlocks(breaches)) : []),
      ...chapter(
        'How to read this report',
        list([
          'A control is carried where the events of this period show all of what is asked here, in part where something is missing, and not carried where they show nothing of it. No occasion: nothing happened that would have called for it, and nothing is claimed.',
          'What each control asks is said in words of our own, as far as backup and recovery go. Whether that is enough, the auditor decides.',
          `Events are named by repository, writer and number; of each claim up to ${NAMED_EVENTS} are named here. The ids of all are in \`holdfast report compliance --json\`, the events themselves in \`holdfast ledger export\`.`,
          'What is to be shown goes by the plan as it is now. What is not in the ledger (people, buildings, contracts, other systems) is not in this report.',
        ]),
      ),
      paragraph(`From ${from} up to ${until}. Times are UTC.`),
    ],
  };
}

function firstPage(report: ComplianceReport): Block[] {
  const { findings, ledgers, events, isWhole, revision, beganAt, silences } = report;
  const count = (state: Finding['state']): number => findings.filter((each) => each.state === state).length;
  const verdict = `Controls carried by the events of this period: ${count('carried')} of ${findings.length}; in part: ${count('partly')}; not carried: ${count('not-carried')}; no occasion: ${count('not-called-for')}.`;
  const isGood = isWhole && count('partly') + count('not-carried') === 0 && events > 0;
  return [
    paragraph(verdict, isGood ? 'good' : 'bad'),
    ...(events === 0
      ? [warning('No event was recorded in this period: nothing can be claimed for it.')]
      : [paragraph(`${events.toLocaleString('en')} events are counted.`)]),
    ...(isWhole ? [] : [warning('The ledger is NOT WHOLE: what it lost may speak for or against any of this.')]),
    ...ledgers.flatMap(ledgerBlocks),
    ...(beganAt === undefined
      ? []
      : [warning(`The ledger begins at ${second(beganAt)}: of the time before, nothing is known.`)]),
    ...(silences.length === 0
      ? []
      : [
          warning('Nothing at all was recorded:'),
          ...list(silences.map((each) => `from ${second(each.from)} to ${second(each.until)}`)),
        ]),
    paragraph(
      revision === undefined
        ? 'No revision of the plan was ever applied: it is taken as its file is now.'
        : `The newest revision of the plan that was applied is ${revision.revision}, of ${second(revision.appliedAt)}.`,
    ),
    ...table(
      ['Standard', 'Control', 'Title', 'Events show it', 'Events', 'Missing'],
      findings.map(({ framework, control, title, state, claims, missing }) => [
        ...[FRAMEWORK_NAMES[framework], control, title, STATES[state]],
        ...[eventsOf(claims), missing.length].map(String),
      ]),
    ),
  ];
}

const STANDINGS: Record<LedgerStanding['state'], string> = {
  untampered: 'it is as it was written',
  consistent:
    'consistent; no signed checkpoint vouches for it, so that who has its password could have written it all anew',
  gap: 'NOT as it was written',
  unverified: 'it could NOT be held against its checkpoint',
  unread: 'it could NOT be read: nothing of it is in this report',
};

function ledgerBlocks(standing: LedgerStanding): Block[] {
  const { repository, state, untamperedUpTo, faults, leftOut, message, waiting } = standing;
  const isWhole = state === 'untampered' || state === 'consistent';
  const upTo = untamperedUpTo === undefined ? '' : `, by a signed checkpoint, up to ${second(untamperedUpTo)}`;
  const text = `Ledger of ${repository}: ${STANDINGS[state]}${upTo}${message === undefined ? '' : ` (${message})`}.`;
  const shown = faults.slice(0, NAMED_FAULTS).map(({ message: fault, after, before, isWithin }) => {
    const where = [
      ...(after === undefined ? [] : [`after an event of ${second(after)}`]),
      ...(before === undefined ? [] : [`before one of ${second(before)}`]),
    ];
    const place = where.length === 0 ? '' : ` (${where.join(', ')})`;
    return `${fault}${place}${isWithin ? '' : ': outside of this period'}`;
  });
  const more = faults.length - shown.length;
  return [
    paragraph(text, isWhole ? undefined : 'bad'),
    ...list([...shown, ...(more > 0 ? [`and ${more} others`] : [])]),
    ...(leftOut === 0 ? [] : [paragraph(`Left out, since something is wrong with them: ${leftOut} events.`)]),
    ...(waiting === 0
      ? []
      : [paragraph(`Events that wait on this machine for the repository, and are not counted: ${waiting}.`)]),
  ];
}

function findingBlocks(finding: Finding): Block[] {
  const { framework, control, title, asks, state, claims, supporting, missing, remarks, uncalled } = finding;
  const tone = state === 'carried' ? 'good' : state === 'not-called-for' ? undefined : 'bad';
  const rows = [
    ...claims.map((each) => claimRow(each, '')),
    ...supporting.map((each) => claimRow(each, 'adds to it: ')),
  ];
  return chapter(
    `${FRAMEWORK_NAMES[framework]} ${control}: ${title}`,
    paragraph(`Asks: ${asks}`),
    paragraph(verdictOf(state, uncalled), tone),
    table(['Shown by', 'Events', 'From', 'To', 'Such as'], rows),
    ...(missing.length === 0 ? [] : [paragraph('Missing:'), list(missing)]),
    ...(remarks.length === 0 ? [] : [paragraph('To be known beside that:'), list(remarks)]),
  );
}

function verdictOf(state: Finding['state'], uncalled: string | undefined): string {
  switch (state) {
    case 'carried':
      return 'The events of this period carry it.';
    case 'partly':
      return 'The events of this period carry it in part.';
    case 'not-carried':
      return 'The events of this period do not carry it.';
    case 'not-called-for':
      return `No occasion: ${uncalled}. Nothing is claimed.`;
  }
}

function claimRow({ says, events, from, until }: Claim, before: string): string[] {
  const named = events.slice(0, NAMED_EVENTS).map(shortened).join(' ');
  return [`${before}${says}`, events.length.toLocaleString('en'), second(from), second(until), named];
}

/** A writer is named by how its id begins. */
function shortened(id: string): string {
  const [repository, writer = '', sequence] = id.split('/');
  return `${repository}/${writer.slice(0, ID_LENGTH)}/${sequence}`;
}

const BREACH_STATES: Record<Breach['state'], string> = {
  reported: 'reported in time',
  late: 'REPORTED LATE',
  open: 'to be reported',
  overdue: 'NOT REPORTED',
};

function breachBlocks(breaches: readonly Breach[]): Block[] {
  return table(
    ['Incident', 'Known since', 'Declared', 'To be reported by', 'Reported', 'To whom', ''],
    breaches.map(({ incident, since, declaredAt, reportBy, reportedAt, reportedTo, state }) => [
      ...[incident, second(since), second(declaredAt), second(reportBy)],
      ...[reportedAt === undefined ? '–' : second(reportedAt), reportedTo ?? '–', BREACH_STATES[state]],
    ]),
    'No breach of personal data was declared. That none took place is not shown by this.',
  );
}

/** An event may show several things. */
function eventsOf(claims: readonly Claim[]): number {
  return new Set(claims.flatMap(({ events }) => events)).size;
}

function warning(text: string): Block {
  return paragraph(text, 'bad');
}

function second(time: string): string {
  return new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}
