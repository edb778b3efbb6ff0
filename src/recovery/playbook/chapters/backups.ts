import { formatDuration, formatPercentage, formatSize } from '../../../foundation/units.ts';
import { hasLog, type Repository, type Source, type StorePlan } from '../../../plan/index.ts';
import { type Block, chapter, list, paragraph, part, table } from '../../../report/index.ts';
import type { Playbook } from '../playbook.ts';
import { placeWords, retentionWords } from '../words.ts';
import { SHOWN_COLUMNS, shownCells } from './cells.ts';
import { captureWords, type Family, ofFamily, subjectWords } from './source-words.ts';

export function backups(playbook: Playbook): Block[] {
  const { plan } = playbook.facts;
  return chapter(
    '3. Backup strategy',
    family(playbook, 'Databases', 'databases'),
    family(playbook, 'Code and secrets', 'code'),
    family(playbook, 'Files', 'files'),
    part('Schedules', table(['Source', 'Backup', ...SHOWN_COLUMNS], schedules(playbook))),
    part('Retention', retention(playbook)),
    collections(plan.sources.values()),
    part('Where backups are kept', places(playbook)),
    part('What belongs together', groups(playbook)),
  );
}

function family({ facts: { plan } }: Playbook, title: string, name: Family): Block[] {
  const sources = ofFamily(plan.sources.values(), name);
  const rows = sources.map((source) => [
    source.name,
    `${source.description === undefined ? '' : `${source.description}: `}${subjectWords(source)}`,
    captureWords(source),
    source.repository,
  ]);
  return part(title, table(['Source', 'What', 'How', 'Repository'], rows));
}

function schedules({ facts: { plan }, find }: Playbook): string[][] {
  return [...plan.sources.values()].map((source) => {
    const follows = hasLog(source) ? ', and its log all the time' : '';
    const promise = find('schedule', source.name);
    return [source.name, `${source.schedule?.text ?? 'by hand'}${follows}`, ...shownCells(promise)];
  });
}

function retention({ facts: { plan }, find }: Playbook): Block[] {
  const rows = [...plan.sources.values()].map((source) => [
    source.name,
    source.repository,
    retentionWords(source.retention, hasLog(source)).join('; '),
    ...shownCells(find('retention', source.name)),
  ]);
  const archived = [...plan.repositories.values()].flatMap(({ name, archive }) =>
    (archive?.sources ?? []).map((source) => [
      ...[source, name, retentionWords(archive?.retention).join('; ')],
      ...shownCells(find('archive', name)),
    ]),
  );
  return table(['Source', 'Repository', 'Kept', ...SHOWN_COLUMNS], [...rows, ...archived]);
}

function collections(sources: Iterable<Source>): Block[] {
  return [...sources].flatMap((source) =>
    source.type !== 'firestore' || source.collections === undefined
      ? []
      : part(
          `Collections of ${source.name}`,
          paragraph('These must survive, with all that lies below their documents:'),
          list(source.collections),
        ),
  );
}

function places({ facts: { plan }, find }: Playbook): Block[] {
  const homes = [...plan.repositories.values()].map((repository) => [
    repository.name,
    whatWords(repository),
    storeWords(repository),
    ...shownCells(find(repository.archive === undefined ? 'check' : 'archive', repository.name)),
  ]);
  const mirrors = [...plan.mirrors.values()].map((mirror) => [
    mirror.name,
    `an exact copy of ${mirror.of}, brought up to date after every backup`,
    storeWords(mirror),
    ...shownCells(find('mirror', mirror.name)),
  ]);
  return [
    ...table(['Repository', 'What', 'Where', ...SHOWN_COLUMNS], [...homes, ...mirrors]),
    paragraph(
      `All of it is encrypted, and stock restic reads it. Each repository is checked by schedule (${plan.upkeep.check.text}); for an archive and a mirror, what is shown is its last copy.`,
    ),
  ];
}

function whatWords({ archive }: Repository): string {
  if (archive === undefined) return 'where sources are kept';
  const { from, sources, schedule, isOffline } = archive;
  const when = schedule === undefined ? 'by hand' : schedule.text;
  return `an archive${isOffline ? ' on cold storage' : ''}: ${sources.join(', ')} from ${from}, ${when}`;
}

function storeWords({ description, store, lock, capacity, s3, gcs }: StorePlan): string {
  const storageClass = s3.storageClass ?? gcs?.storageClass;
  return [
    ...(description === undefined ? [] : [description]),
    placeWords(store),
    ...(storageClass === undefined ? [] : [`storage class ${storageClass}`]),
    ...(lock === undefined
      ? []
      : [`objects locked (${lock.mode}) for ${formatDuration(lock.forMs)}, extended while kept`]),
    ...(capacity === undefined
      ? []
      : [`${formatSize(capacity.ofBytes)} in all, with a warning at ${formatPercentage(capacity.warnAt)}`]),
  ].join('; ');
}

function groups({ facts: { plan }, find }: Playbook): Block[] {
  const rows = [...plan.groups.values()].map(({ name, sources, validate }) => [
    name,
    sources.join(', then '),
    validate.map((check) => check.name).join('; ') || '–',
    ...shownCells(find('group', name)),
  ]);
  return table(
    ['Group', 'Restored to one moment, in this order', 'What must hold between them', ...SHOWN_COLUMNS],
    rows,
  );
}
