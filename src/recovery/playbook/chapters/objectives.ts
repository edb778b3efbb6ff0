import { formatDuration } from '../../../foundation/units.ts';
import { type Block, chapter, part, table } from '../../../report/index.ts';
import type { Playbook } from '../playbook.ts';
import { SHOWN_COLUMNS, shownCells } from './cells.ts';

export function objectives({ facts: { plan }, find }: Playbook): Block[] {
  const { rpoMs, rtoMs, proofMs } = plan.objectives;
  const shown = (ms: number | undefined): string => (ms === undefined ? 'none' : formatDuration(ms));
  return chapter(
    '2. Recovery objectives',
    table(
      ['Objective', 'Of all, where nothing else is said', 'What it means'],
      [
        ['RTO (recovery time objective)', shown(rtoMs), 'how long until it is back'],
        ['RPO (recovery point objective)', shown(rpoMs), 'how much may be lost: the age of the newest recovery point'],
        ['Proof', shown(proofMs), 'how old the newest recovery point may be that was restored and validated'],
      ],
    ),
    part('By source', table(['Source', 'Objective', 'Promised', ...SHOWN_COLUMNS], bySource({ plan, find }))),
    part('By scenario', table(['Scenario', 'RTO', ...SHOWN_COLUMNS], byScenario({ plan, find }), 'The plan has none.')),
  );
}

type Asked = { plan: Playbook['facts']['plan']; find: Playbook['find'] };

function bySource({ plan, find }: Asked): string[][] {
  return [...plan.sources.keys()].flatMap((source) =>
    (['rpo', 'rto', 'proof'] as const).flatMap((kind) => {
      const promise = find(kind, source);
      if (promise === undefined) return [];
      return [[source, kind === 'proof' ? 'Proof' : kind.toUpperCase(), promise.promised, ...shownCells(promise)]];
    }),
  );
}

function byScenario({ plan, find }: Asked): string[][] {
  return [...plan.runbooks.values()].map(({ name, scenario }) => {
    const promise = find('runbook', name);
    return [scenario, promise?.promised ?? '–', ...shownCells(promise)];
  });
}
