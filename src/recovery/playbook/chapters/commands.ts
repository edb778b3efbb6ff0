import type { Source } from '../../../plan/index.ts';
import { type Block, chapter, commands, paragraph, part } from '../../../report/index.ts';
import type { Playbook } from '../playbook.ts';
import { afterRestic, captureByHand, targetWords } from './source-words.ts';

export function backupCommands({ facts: { plan } }: Playbook): Block[] {
  return chapter(
    '4. Backup commands',
    paragraph('What is done by schedule is done at once by these commands. holdfast backup alone takes all sources.'),
    [...plan.sources.values()].flatMap((source) =>
      part(
        `Backup of ${source.name}`,
        commands([
          `holdfast backup ${source.name}`,
          ...onlyExample(source),
          '# without Holdfast:',
          ...captureByHand(source),
        ]),
      ),
    ),
  );
}

function onlyExample(source: Source): string[] {
  if (source.type !== 'firestore' || source.collections === undefined) return [];
  const [first, second] = source.collections;
  const only = [first, second].flatMap((each) => (each === undefined ? [] : [`--only ${each}`])).join(' ');
  return [`holdfast backup ${source.name} ${only}   # some collections only`];
}

export function restoreProcedures({ facts: { plan } }: Playbook): Block[] {
  const groups = [...plan.groups.values()].map(({ name, sources }) =>
    part(
      `Restore of the group ${name}`,
      paragraph(`${sources.join(', ')}, to one moment, in this order.`),
      commands([`holdfast restore --group ${name} --at TIME --to DIRECTORY`]),
    ),
  );
  return chapter(
    '5. Restore procedures',
    paragraph(
      'A restore goes to a new place, and never touches the living one unless that is asked for by name. holdfast snapshots lists what can be restored; TIME is such as 2026-01-31T14:03:06Z or 2h ago.',
    ),
    [...plan.sources.values()].flatMap((source) => part(`Restore of ${source.name}`, commands(restoreLines(source)))),
    groups.flat(),
  );
}

function restoreLines(source: Source): string[] {
  return [
    `holdfast snapshots ${source.name}`,
    `holdfast restore ${source.name} --at TIME --to ${targetWords(source)}`,
    '# without Holdfast, once the password of the repository is at hand:',
    `restic -r REPOSITORY snapshots --tag source:${source.name}`,
    `restic -r REPOSITORY restore latest --tag source:${source.name} --target ./restored`,
    ...afterRestic(source),
  ];
}
