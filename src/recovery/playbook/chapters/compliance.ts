import type { Framework } from '../../../plan/index.ts';
import { type Block, chapter, list, paragraph, part, table } from '../../../report/index.ts';
import { isPlanUnread } from '../facts.ts';
import type { Playbook } from '../playbook.ts';
import { minute } from '../words.ts';

/** What each framework asks of disaster recovery, and what of this answers it. */
const FRAMEWORKS: Readonly<Record<Framework, readonly [name: string, asks: string, answer: string]>> = {
  gdpr: [
    'GDPR',
    'a breach of personal data is told to the authority within 72 hours; what is lost can be had again in good time',
    'holdfast incident breach keeps the clock; chapters 2, 3 and 6',
  ],
  hipaa: [
    'HIPAA',
    'a contingency plan: backups, recovery, emergency operation, tests, what is critical',
    'chapters 3, 5, 6 and 7',
  ],
  soc2: ['SOC 2', 'procedures of recovery that are written down and tested', 'chapters 6 and 7'],
  iso27001: ['ISO 27001', 'business continuity is planned, kept up and shown', 'chapters 2, 7 and 11'],
};

export function compliance({ facts }: Playbook): Block[] {
  return chapter(
    '12. Compliance',
    part(
      'Regulatory requirements',
      table(
        ['Framework', 'Asks', 'Answered by'],
        facts.plan.frameworks.map((framework) => FRAMEWORKS[framework]),
      ),
      paragraph('holdfast report compliance holds what was recorded against each of their controls.'),
      breaches(facts),
    ),
    part('Audit trail', auditTrail(facts)),
  );
}

function breaches(facts: Playbook['facts']): Block[] {
  const { record } = facts;
  const declared = record.events.filter(({ kind }) => kind === 'breach.declared').length;
  const reported = record.events.filter(({ kind }) => kind === 'breach.reported').length;
  if (isPlanUnread(facts)) return [paragraph('Whether a breach was declared is unknown.')];
  if (declared === 0)
    return [paragraph('No breach of personal data was ever declared: that it is told in time was never shown.')];
  return [
    paragraph(
      `Breaches declared: ${declared}; told to the authority: ${reported}.`,
      reported < declared ? 'bad' : 'good',
    ),
  ];
}

function auditTrail(facts: Playbook['facts']): Block[] {
  const { plan, record } = facts;
  const first = record.events[0];
  const known = first === undefined ? 'Nothing was recorded yet.' : `It goes back to ${minute(first.time)}.`;
  const checkpoints = plan.ledger.checkpoints;
  const signed =
    checkpoints === undefined
      ? 'Nobody signs it: ledger.checkpoints of the plan would.'
      : `It is signed by schedule (${checkpoints.schedule.text}).`;
  return [
    paragraph(
      `All that is done is recorded, each entry chained to the one before it by its hash. ${isPlanUnread(facts) ? 'It could not be read.' : known} ${signed}`,
    ),
    ...list([
      'Backups, and what failed of them',
      'Restores and proofs',
      'Failovers, incidents and drills, with every step and every decision',
      'Access: calls of the API, logins that failed, who looked into what is kept, keys and tokens',
      'Changes of the plan, with who made them and why',
    ]),
  ];
}
