import { resolve } from 'node:path';
import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import type { RescueListener } from '../../operations/index.ts';
import type { CommandDefinition, Invocation, Outcome } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { kitPassphrase } from '../kit-passphrase.ts';
import { RECALL_OPTIONS, recallOf } from '../recall-options.ts';
import { describeCopies, describeHave, describeMember, describeRescued } from '../rescue-text.ts';

export const rescue: CommandDefinition = {
  name: 'rescue',
  summary: 'bring everything back on an empty machine, from the recovery kit',
  description:
    "Opens the kit, tries every repository and mirror and says which answer, takes the newest plan from the ledger, says what can be had and how old it is, and restores everything: the groups of the plan in their order, then the other sources; each log to its end, or with --at everything to one moment. Each goes to a directory of its own in DIRECTORY, and nothing else is written to; a cluster as a data directory with its log replayed, Redis as a dump.rdb, Firestore as files. One that fails stops no other. Run again with the same directory, it goes on where it was. No plan is needed, and no address of the plan is reached. The passphrase is asked for, or HOLDFAST_KIT_PASSPHRASE, which may hold shares. The clock runs from --since against the plan's RTO. Ends with 3 when not all came back, or something that was to be proven could not be, and with 4 when all did and something was later or older than promised, or failed its proof.",
  options: [
    { flags: '--kit <file>', description: 'the sealed file' },
    {
      flags: '--to <target>',
      description:
        'a directory; and SOURCE=TARGET for each source that goes elsewhere, such as a running empty database',
      repeats: true,
    },
    { flags: '--at <time>', description: 'everything as it was at this moment; as new as can be, when left out' },
    { flags: '--since <time>', description: 'when the disaster was; the start of the command, when left out' },
    {
      flags: '--drill',
      description:
        'only try it: from the newest kit of the plan, to a place that is removed afterwards, with each source proven; counts as the drill of the plan',
    },
    { flags: '--prove', description: 'restore each source into a sandbox first, and validate it there' },
    ...RECALL_OPTIONS,
  ],
  examples: [
    {
      command: 'holdfast rescue --kit omni.age --to /srv/back',
      does: 'asks for the passphrase, and brings everything back',
    },
    {
      command: 'holdfast rescue --kit omni.age --to /srv/back --since "30m ago" --prove',
      does: 'the same, proven first, with the clock running for half an hour already',
    },
    { command: 'holdfast rescue --drill', does: 'shows that it would come back, and leaves nothing behind' },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.partial, EXIT.missed],
  writes: true,
  async run(invocation) {
    const operations = await import('../../operations/index.ts');
    const { options, directory, environment } = invocation;
    const [file, to] = [options['kit'] as string | undefined, (options['to'] ?? []) as string[]];
    if (options['drill'] === true) return drill(invocation, file, to);
    if (file === undefined || to.length === 0) {
      throw new HoldfastError('bad-usage', 'rescue needs a kit and a directory', {
        hint: 'Give `--kit FILE` and `--to DIRECTORY`.',
      });
    }
    const optional = (name: string): object => (options[name] === undefined ? {} : { [name]: options[name] });
    const request = {
      kit: { file: resolve(directory, file), passphrase: await kitPassphrase(invocation) },
      ...{ to, ...optional('at'), ...optional('since'), ...optional('prove'), ...recallOf(options) },
    };
    const rescued = await operations.rescue(environment, request, telling(invocation));
    return { exit: operations.rescueExit(rescued), json: rescued, text: describeRescued(rescued) };
  },
};

function telling({ environment, tell }: Invocation): RescueListener {
  return {
    copies: (copies, planFrom) => describeCopies(copies, planFrom).forEach(tell),
    points: (points) => describeHave(points, environment.clock.nowMs()).forEach(tell),
    member: (member) => describeMember(member).forEach(tell),
  };
}

/** @throws bad-usage */
async function drill(invocation: Invocation, file: string | undefined, to: readonly string[]): Promise<Outcome> {
  if (to.length > 0) {
    throw new HoldfastError('bad-usage', 'a drill goes to a place of its own, which is removed afterwards', {
      hint: 'Leave `--to` out, or `--drill`.',
    });
  }
  const operations = await import('../../operations/index.ts');
  const workspace = await invocation.workspace();
  const planned = workspace.plan.drills.find(({ isRescue }) => isRescue);
  const { rescued } = await operations.drillRescue(
    workspace,
    {
      task: `drill:rescue-${planned?.name ?? 'by-hand'}`,
      passphrase: await kitPassphrase(invocation, workspace),
      ...(file !== undefined && { file: resolve(invocation.directory, file) }),
    },
    telling(invocation),
  );
  return { exit: operations.rescueExit(rescued!), json: rescued, text: describeRescued(rescued!) };
}
