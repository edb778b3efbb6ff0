import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import { parseDuration } from '../../foundation/units.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { runParameters } from '../run-parameters.ts';
import { watchedRun } from '../watched-run.ts';

function durationOf(given: unknown): number | undefined {
  if (typeof given !== 'string') return undefined;
  const durationMs = parseDuration(given);
  if (durationMs !== undefined && durationMs > 0) return durationMs;
  throw new HoldfastError('bad-usage', `${JSON.stringify(given)} is no duration`, { hint: 'Say it as `--keep 24h`.' });
}

export const drill: CommandDefinition = {
  name: 'drill',
  arguments: '<runbook>',
  summary: 'run the steps of a runbook on copies, with nothing that lives in reach',
  description:
    'Restores to sandboxes what the runbook restores, verifies it there, and measures the time against the objectives. Steps that work on what lives are passed over, or done as `drill` of each says; programs run without network, credentials and files but the copies. At the end a corruption is planted, which verification has to find. It ends with 0 when all is done, 3 when some of it could not be tried, 4 when it took longer, or lost more, than promised, and 1 when a step failed.',
  options: [
    { flags: '--param <name=value>', description: 'a parameter of the runbook', repeats: true },
    { flags: '--keep <duration>', description: 'what was restored stays for so long, such as 24h' },
  ],
  examples: [
    { command: 'holdfast drill region-failure', does: 'how it would go, and how long it would take' },
    { command: 'holdfast drill database-corruption --keep 24h', does: 'what came back can be looked at for a day' },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.partial, EXIT.missed],
  writes: true,
  isMirrored: true,
  async run(invocation) {
    const { arguments: given, options } = invocation;
    const workspace = await invocation.workspace();
    const { holdDrill } = await import('../../recovery/index.ts');
    const keepMs = durationOf(options['keep']);
    const request = {
      ...{ runbook: given[0] as string, params: runParameters((options['param'] ?? []) as string[]) },
      ...(keepMs !== undefined && { keepMs }),
    };
    return watchedRun(workspace, invocation, (told) => holdDrill(workspace, request, told));
  },
};
