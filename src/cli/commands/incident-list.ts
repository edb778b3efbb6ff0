import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { bad, doubtful, good, shownTime, table } from '../text.ts';

export const incidentList: CommandDefinition = {
  name: 'incident list',
  summary: 'the incidents that are open; with --all also those that were',
  options: [{ flags: '--all', description: 'also those that were closed' }],
  examples: [{ command: 'holdfast incident list', does: 'what is under way, and what waits for whom' }],
  exits: REPOSITORY_EXITS,
  writes: false,
  async run({ options, workspace: open }) {
    const workspace = await open();
    const { listIncidents, viewOf } = await import('../../recovery/index.ts');
    const nowMs = workspace.environment.clock.nowMs();
    const views = (await listIncidents(workspace)).map((each) => viewOf(each, nowMs));
    const incidents = views.filter(({ state }) => options['all'] === true || state !== 'closed');
    const rows = incidents.map(({ id, runbook, severity, since, startedBy, state, outcome, breach }) => [
      state === 'closed' ? (outcome === 'done' ? good('done') : bad(outcome ?? '')) : doubtful(state),
      ...[id, runbook, severity, shownTime(since), startedBy],
      breach === undefined || breach.reportedTo !== undefined
        ? ''
        : bad(`breach: report by ${shownTime(breach.reportBy)}`),
    ]);
    const text =
      rows.length === 0 ? 'No incident is open.' : table([['', 'id', 'runbook', '', 'since', 'begun by', ''], ...rows]);
    return { exit: EXIT.done, json: { incidents }, text };
  },
};
