import { formatDuration, formatPercentage } from '../../../foundation/units.ts';
import { RULES, type Rule, type RuleName } from '../../../plan/index.ts';
import { type Block, chapter, paragraph, part, table } from '../../../report/index.ts';
import { isPlanUnread } from '../facts.ts';
import type { Playbook } from '../playbook.ts';
import { hostWords, placeWords } from '../words.ts';
import { SHOWN_COLUMNS, shownCells } from './cells.ts';

const OF_BACKUPS: readonly RuleName[] = [
  ...(['backup-failed', 'backup-missed', 'rpo-breach', 'proof-overdue', 'rto-forecast', 'size-drop'] as const),
  ...(['duration', 'change-anomaly', 'verification-failed', 'capacity', 'log-stalled', 'stale-lock'] as const),
  ...(['repository-unreachable', 'upkeep-failed'] as const),
];
const OF_SYSTEMS: readonly RuleName[] = ['replication-lag', 'latency', 'error-rate', 'availability'];

export function monitoring(playbook: Playbook): Block[] {
  const { plan } = playbook.facts;
  const all = [...plan.alerts.rules.values()];
  const others = all.filter(({ name }) => !OF_BACKUPS.includes(name) && !OF_SYSTEMS.includes(name));
  return chapter(
    '8. Monitoring and alerts',
    part(
      'Backup monitoring',
      rules(
        playbook,
        all.filter(({ name }) => OF_BACKUPS.includes(name)),
      ),
    ),
    part(
      'System health',
      rules(
        playbook,
        all.filter(({ name }) => OF_SYSTEMS.includes(name)),
      ),
      services(playbook),
    ),
    part('Recoveries and people', rules(playbook, others)),
    part('Turned off', off(playbook)),
    part('Health checks', healthChecks(playbook)),
    part('Reports', reports(playbook)),
  );
}

function rules({ facts }: Playbook, wanted: readonly Rule[]): Block[] {
  return table(
    ['Alert', 'When', 'Threshold', 'Severity', 'Last raised'],
    wanted.map((rule) => {
      const raised = facts.showings.of('alert', rule.name).last;
      const never = isPlanUnread(facts) ? 'unknown' : 'never';
      return [
        ...[rule.name, RULES[rule.name].description, thresholdWords(rule), rule.severity.toUpperCase()],
        raised === undefined ? never : `${raised.at.slice(0, 10)}: ${raised.words ?? ''}`,
      ];
    }),
  );
}

function thresholdWords({ overMs, overShare, withinMs, afterMs, forMs }: Rule): string {
  const parts = [
    ...(overMs === undefined ? [] : [`over ${formatDuration(overMs)}`]),
    ...(overShare === undefined ? [] : [`over ${formatPercentage(overShare)}`]),
    ...(withinMs === undefined ? [] : [`within ${formatDuration(withinMs)}`]),
    ...(afterMs === undefined ? [] : [`after ${formatDuration(afterMs)}`]),
    ...(forMs === undefined ? [] : [`for ${formatDuration(forMs)}`]),
  ];
  return parts.join(', ') || '–';
}

function off({ facts: { plan } }: Playbook): Block[] {
  const names = (Object.keys(RULES) as RuleName[]).filter((name) => !plan.alerts.rules.has(name));
  return names.length === 0 ? [] : [paragraph(`Nobody is told of: ${names.join(', ')}.`)];
}

function services({ facts: { plan } }: Playbook): Block[] {
  const watched = [...plan.services.values()].map(({ name, http, everyMs, from, errorRate }) => [
    name,
    `asked at ${hostWords(http)} every ${formatDuration(everyMs)}${from === undefined ? '' : ` from ${from}`}; down after three failures in a row${errorRate === undefined ? '' : '; its error rate is asked of Prometheus'}`,
  ]);
  const standbys = [...plan.standbys.values()].map(({ name, of, url }) => [
    name,
    `standby of ${of}, ${placeWords(url)}: how far it is behind is measured each minute`,
  ]);
  return table(['Service or standby', 'How it is watched'], [...watched, ...standbys]);
}

function healthChecks({ facts: { plan }, find }: Playbook): Block[] {
  const { upkeep, verifications, drills } = plan;
  const checks = [...plan.repositories.keys()].map((name) => [
    upkeep.check.text,
    `the repository ${name} is checked, a further part of its data read each time`,
    ...shownCells(find('check', name)),
  ]);
  const rows = verifications.map(({ name, schedule, level }) => [
    schedule.text,
    level === 'checked' ? `${name}: are backups there, and whole?` : `${name}: a restore as a test`,
    ...shownCells(find('verification', name)),
  ]);
  const drilled = drills.map(({ name, runbooks, schedule, isRescue }) => [
    schedule.text,
    isRescue ? 'drill from an empty machine' : `drill: ${runbooks.join(', ')}`,
    ...shownCells(find('drill', `${name} ${isRescue ? 'rescue' : runbooks[0]}`)),
  ]);
  return table(['When', 'What', ...SHOWN_COLUMNS], [...rows, ...checks, ...drilled]);
}

function reports({ facts: { plan }, find, promises }: Playbook): Block[] {
  const named = promises.filter(({ kind }) => kind === 'report');
  return table(
    ['Report', 'When', 'To', ...SHOWN_COLUMNS],
    named.map(({ subject, promised }, index) => [
      ...[`${plan.reports[index]!.kind} report`, promised, plan.reports[index]!.to.join(', ')],
      ...shownCells(find('report', subject)),
    ]),
    'None is sent by itself.',
  );
}
