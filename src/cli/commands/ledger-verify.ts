import { resolve } from 'node:path';
import { EXIT } from '../../foundation/errors.ts';
import type { LedgerVerdict } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { failureLines, GOES_ON } from '../failure-text.ts';
import { bad, counted, doubtful, faint, good, oneLine, shownTime } from '../text.ts';
import { UNSIGNED } from '../unsigned.ts';

/** So many faults are shown; all of them with `--json`. */
const SHOWN_FAULTS = 20;

export const ledgerVerify: CommandDefinition = {
  name: 'ledger verify',
  summary: 'find whatever was changed in the audit trail',
  description: `Reads every object of the ledger, of all repositories of the plan or of one, and names each event that was edited, moved, doubled or removed; exit code 1 when there is one. What a process that was stopped left is told apart. Without a checkpoint it says that the ledger is consistent: who has the password of the repository could have written it all anew. It says untampered up to the moment of a checkpoint that was signed with the key of the plan or with the one that is given: the newest in the repository, or a copy from elsewhere. ${GOES_ON}`,
  options: [
    { flags: '--repository <name>', description: 'the ledger of this repository, mirror or archive' },
    { flags: '--checkpoint <file>', description: 'a copy of a checkpoint that was kept elsewhere' },
    { flags: '--public-key <file>', description: 'the key that checkpoints were signed with; else that of the plan' },
  ],
  examples: [
    { command: 'holdfast ledger verify', does: 'is the audit trail whole?' },
    {
      command: 'holdfast ledger verify --checkpoint kept.json --public-key signing.pem.pub',
      does: 'is it what it was then?',
    },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.failed],
  writes: false,
  async run({ options, workspace, directory }) {
    const operations = await import('../../operations/index.ts');
    const { repository, checkpoint, publicKey } = options as Record<string, string | undefined>;
    const { repositories, failures } = await operations.verifyLedgers(await workspace(), {
      ...(repository !== undefined && { repository }),
      ...(checkpoint !== undefined && { checkpointFile: resolve(directory, checkpoint) }),
      ...(publicKey !== undefined && { publicKeyFile: resolve(directory, publicKey) }),
    });
    const isWhole = failures.length === 0 && repositories.every(({ state }) => state !== 'tampered');
    return {
      exit: isWhole ? EXIT.done : EXIT.failed,
      json: { repositories, failures },
      text: [...repositories.flatMap(describe), ...failureLines(failures)].join('\n'),
    };
  },
};

function describe(verdict: LedgerVerdict): string[] {
  const {
    repository,
    state,
    events,
    writers,
    faults,
    left,
    waiting,
    unbound,
    unboundBefore,
    untamperedUpTo,
    isUnsigned,
  } = verdict;
  const since = unbound - unboundBefore;
  const of = `${repository}: ${counted(events, 'event')} of ${counted(writers, 'writer')}`;
  const head = {
    untampered: `${of}, ${good(`untampered up to ${shownTime(untamperedUpTo ?? '')}`)}`,
    consistent: `${of}, ${good('consistent')}${faint('; only a signed checkpoint can say untampered')}`,
    tampered: `${of}, ${bad('not as it was written')}`,
  }[state];
  const more = faults.length - SHOWN_FAULTS;
  return [
    head,
    ...faults.slice(0, SHOWN_FAULTS).map(({ what, message }) => oneLine`  ${bad(what)} ${message}`),
    ...(more > 0 ? [`  and ${counted(more, 'other fault')}`] : []),
    ...(state === 'untampered' && since > 0 ? [`  ${counted(since, 'event')} since then, consistent`] : []),
    ...(state === 'untampered' && unboundBefore > 0
      ? [
          `  ${doubtful(`${counted(unboundBefore, 'event')} that the checkpoint does not bind`)} with a time before it: recorded while the repository was away, or written later`,
        ]
      : []),
    ...(isUnsigned ? [`  ${doubtful('unsigned')} ${UNSIGNED}`] : []),
    ...left.map((each) => oneLine`  ${doubtful('left by what was stopped')} ${each}`),
    ...(waiting > 0
      ? [`  ${doubtful(`${counted(waiting, 'event')} on this machine`)} for it, until it takes them`]
      : []),
  ];
}
