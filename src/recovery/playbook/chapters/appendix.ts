import { type Block, chapter, table } from '../../../report/index.ts';
import type { Playbook } from '../playbook.ts';

const COMMANDS: readonly (readonly [command: string, does: string])[] = [
  ['holdfast status', 'every source: last backup, last proof, RPO and RTO, promised and actual'],
  ['holdfast backup [SOURCE]', 'a backup now'],
  ['holdfast snapshots [SOURCE]', 'what can be restored'],
  ['holdfast history SOURCE', 'when did it vanish?'],
  ['holdfast restore SOURCE --to TARGET [--at TIME]', 'brings it back to a new place'],
  ['holdfast verify [SOURCE]', 'restores into a sandbox, and validates'],
  ['holdfast check --read-data', 'is the repository whole?'],
  ['holdfast recover RUNBOOK', 'a recovery for real'],
  ['holdfast drill RUNBOOK', 'the same on copies'],
  ['holdfast incident list', 'recoveries under way, and past'],
  ['holdfast alert list', 'what is wrong'],
  ['holdfast schedule', 'what comes next'],
  ['holdfast objectives', 'what was promised, and what was kept'],
  ['holdfast report metrics', 'the same by month and quarter'],
  ['holdfast report verification', 'what was verified'],
  ['holdfast report incident ID', 'what became of an incident'],
  ['holdfast review agenda KIND', 'what to talk about'],
  ['holdfast review record KIND --attended NAME', 'that it took place'],
  ['holdfast ledger log', 'the audit trail'],
  ['holdfast ledger verify', 'is it whole?'],
  ['holdfast plan apply -m WHY', 'makes the plan its next revision'],
];

export function appendix({ facts: { plan } }: Playbook): Block[] {
  const runbooks = [...plan.runbooks.values()].map(({ name, scenario }) => [`holdfast recover ${name}`, scenario]);
  return chapter(
    'Appendix: commands',
    table(['Command', 'What for'], [...COMMANDS.map((each) => [...each]), ...runbooks]),
  );
}
