import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { detachedRun } from '../detached-run.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { foreseenText } from '../incident-text.ts';
import { runParameters } from '../run-parameters.ts';
import { watchedRun } from '../watched-run.ts';

export const recover: CommandDefinition = {
  name: 'recover',
  arguments: '<runbook>',
  summary: 'open an incident, and run the steps of a runbook for real',
  description:
    'Opens an incident and runs the steps of the runbook, side by side where none needs the other. What it does is in the ledger: whatever becomes of this process, `incident resume` goes on, on this machine or another. With `--dry-run` nothing is done: it says of each step what it would do, how long that takes, what is in its way (exit code 4), and how to do it by hand. It ends with 0 when all is done, 3 when something could not be done, 4 when it was done later, or with more lost, than promised, and 1 when a step failed and the incident is open still. With `--detach` it ends with 0 as soon as the steps have begun, and they go on though the terminal is closed.',
  options: [
    { flags: '--since <time>', description: 'when it happened, from which the recovery time counts' },
    { flags: '--at <time>', description: 'the parameter `at` of the runbook' },
    {
      flags: '--param <name=value>',
      description: 'a parameter of the runbook; `name=env:VARIABLE` for what is secret',
      repeats: true,
    },
    { flags: '--why <text>', description: 'what is known of it' },
    { flags: '--alert <id>', description: 'the alert that led to it' },
    { flags: '--another', description: 'also where the same runbook is under way' },
    { flags: '--alone', description: 'no other process runs it, where no store can tell' },
    { flags: '--detach', description: 'leave the steps to a process of their own, and end once they have begun' },
    { flags: '--dry-run', description: 'say what would be done, and do nothing' },
  ],
  examples: [
    { command: 'holdfast recover region-failure --dry-run', does: 'what it would do, and what is in its way' },
    { command: 'holdfast recover region-failure --detach', does: 'goes on though the connection is lost' },
    { command: 'holdfast recover database-corruption --since "20m ago" --param target=/srv/new', does: 'for real' },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.partial, EXIT.missed],
  writes: true,
  isMirrored: true,
  async run(invocation) {
    const { arguments: given, options } = invocation;
    const workspace = await invocation.workspace();
    const recovery = await import('../../recovery/index.ts');
    const [since, at, why, alertId] = ['since', 'at', 'why', 'alert'].map(
      (name) => options[name] as string | undefined,
    );
    const request = {
      runbook: given[0] as string,
      params: runParameters((options['param'] ?? []) as string[]),
      ...(since !== undefined && { since }),
      ...(at !== undefined && { at }),
      ...(why !== undefined && { why }),
    };
    if (options['dryRun'] === true) {
      const foreseen = await recovery.foreseeRun(workspace, request);
      const exit = foreseen.obstacles === 0 ? EXIT.done : EXIT.missed;
      return { exit, json: foreseen, text: foreseenText(foreseen) };
    }
    const alert = alertId === undefined ? undefined : await recovery.alertBehind(workspace, alertId);
    const opening = { ...request, ...(alert && { alert }), another: options['another'] === true };
    const isAlone = options['alone'] === true;
    if (options['detach'] === true) {
      const { id } = await recovery.openIncident(workspace, opening);
      return detachedRun(workspace, invocation, { id, isAlone });
    }
    return watchedRun(workspace, invocation, (told) => recovery.recover(workspace, opening, { ...told, isAlone }));
  },
};
