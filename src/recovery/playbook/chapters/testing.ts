import { formatDuration } from '../../../foundation/units.ts';
import type { GroupCheck, Source, Verification } from '../../../plan/index.ts';
import { type Block, chapter, list, paragraph, part, table } from '../../../report/index.ts';
import type { Playbook } from '../playbook.ts';
import { counted, placeWords } from '../words.ts';
import { SHOWN_COLUMNS, shownCells } from './cells.ts';

export function testing(playbook: Playbook): Block[] {
  const { plan } = playbook.facts;
  return chapter(
    '7. Testing schedule',
    part('Verification of backups', verifications(playbook)),
    part(
      'What a restored copy must show',
      list([...plan.sources.values()].flatMap(checksOf)),
      list(groupChecks(playbook)),
    ),
    part('Drills', drills(playbook)),
  );
}

function verifications({ facts: { plan }, find }: Playbook): Block[] {
  return table(
    ['Verification', 'Schedule', 'What is done', ...SHOWN_COLUMNS],
    plan.verifications.map((each) => [
      each.name,
      each.schedule.text,
      verificationWords(each, plan.sources.size),
      ...shownCells(find('verification', each.name)),
    ]),
    'The plan has none: no backup is verified by itself.',
  );
}

function verificationWords({ sources, pick, fromMs, level, sandboxes, keepMs }: Verification, all: number): string {
  const which = sources.length === all ? 'all sources' : sources.join(', ');
  const from = fromMs === undefined ? '' : ` of the last ${formatDuration(fromMs)}`;
  const point = pick === 'latest' ? 'the newest recovery point' : `any recovery point${from}, by chance`;
  const places = [...new Set(sandboxes.values())];
  const where = places.length === 0 ? 'a sandbox' : `the sandbox ${places.join(', ')}`;
  const done =
    level === 'checked'
      ? 'every byte is read and authenticated'
      : `restored into ${where}, validated and counted against what was captured`;
  const kept =
    keepMs === undefined ? '' : `; it stays there for ${formatDuration(keepMs)} (${hours(keepMs)}), then it is removed`;
  return `${which}: ${point}; ${done}${kept}`;
}

function hours(ms: number): string {
  return `${Math.round(ms / 3_600_000)} hours`;
}

function checksOf(source: Source): string[] {
  return source.validate.map((check) => `${source.name}: ${check.name} (${checkWords(check)})`);
}

function checkWords(check: Source['validate'][number]): string {
  switch (check.kind) {
    case 'sql':
      return `a query must give true: ${placeWords(check.sql)}`;
    case 'sql-within':
      return `a query must give a time within ${formatDuration(check.withinMs)} of the recovery point`;
    case 'count': {
      const atLeast = check.atLeast === undefined ? [] : [`at least ${check.atLeast}`];
      const atMost = check.atMost === undefined ? [] : [`at most ${check.atMost}`];
      const noun = (check.atMost ?? check.atLeast) === 1 ? 'document' : 'documents';
      return `${[...atLeast, ...atMost].join(', ')} ${noun} in ${check.collection}`;
    }
    case 'keys':
      return `at least ${counted(check.atLeast, 'key')} ${placeWords(check.keys)}`;
    case 'exec':
      return 'a program of your own must accept it';
  }
}

function groupChecks({ facts: { plan } }: Playbook): string[] {
  const words = (check: GroupCheck): string =>
    check.kind === 'exists'
      ? `${check.sql.source} is asked what must exist in ${check.existsIn.source}`
      : 'a program of your own must accept it';
  return [...plan.groups.values()].flatMap(({ name, validate }) =>
    validate.map((check) => `${name}: ${check.name} (${words(check)})`),
  );
}

function drills({ facts: { plan }, find }: Playbook): Block[] {
  const rows = plan.drills.flatMap(({ name, runbooks, schedule, isRescue }) => {
    const subjects = isRescue ? ['rescue'] : runbooks;
    return subjects.map((subject) => [
      schedule.text,
      isRescue ? 'all of it, from an empty machine and the recovery kit' : subject,
      ...shownCells(find('drill', `${name} ${subject}`)),
    ]);
  });
  return [
    paragraph(
      'A drill carries out the runbook on copies, in isolation: it cannot reach the living systems. It is measured against the same objectives.',
    ),
    ...table(['Schedule', 'Runbook', ...SHOWN_COLUMNS], rows, 'The plan has none: no recovery is practised.'),
  ];
}
