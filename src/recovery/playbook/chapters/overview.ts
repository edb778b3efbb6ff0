import { type Block, chapter, list, paragraph, part, table } from '../../../report/index.ts';
import type { Playbook } from '../playbook.ts';
import { minute } from '../words.ts';

export function overview(playbook: Playbook): Block[] {
  const { plan } = playbook.facts;
  const runbooks = [...plan.runbooks.values()];
  const whole = plan.description ?? `This is how ${plan.name} is protected, and how it is recovered after a disaster.`;
  return chapter(
    '1. Overview',
    paragraph(whole),
    paragraph(
      `It is written from the plan that Holdfast carries out, as of ${minute(playbook.madeAt)}. Beside each promise stands what was measured, and when it was last shown; what never was says "never shown". Times of day are those of ${plan.timezone}.`,
    ),
    part(
      'What is in it',
      table(
        ['Of the plan', 'There are'],
        [
          ['Sources', `${plan.sources.size}: ${[...plan.sources.keys()].join(', ')}`],
          ['Scenarios', runbooks.length === 0 ? 'none' : runbooks.map(({ scenario }) => scenario).join('; ')],
          ['Repositories', [...plan.repositories.keys(), ...plan.mirrors.keys()].join(', ')],
          ['People', [...plan.contacts.values()].map(({ role }) => role).join(', ') || 'nobody is named'],
        ],
      ),
    ),
  );
}

/** What a reader has to know before anything else. */
export function firstPage({ promises, facts, missed, neverShown }: Playbook): Block[] {
  const { unread, fromMirror, damaged } = facts.record;
  const unknown = promises.filter(({ state }) => state === 'unknown').length;
  const shown = promises.length - missed.length - neverShown.length - unknown;
  const counts = `${promises.length} promises: ${shown} shown, ${missed.length} missed, ${neverShown.length} never shown${unknown === 0 ? '' : `, ${unknown} unknown`}.`;
  const isGood = missed.length + neverShown.length + unknown === 0;
  return [
    paragraph(counts, isGood ? 'good' : 'bad'),
    ...unread.map(({ repository, error }) =>
      paragraph(`The repository ${repository} could not be read: ${error.message}. What it shows is unknown.`, 'bad'),
    ),
    ...fromMirror.map(({ repository, mirror, error }) =>
      paragraph(
        `Figures of ${repository} are from its mirror ${mirror}, since it could not be read: ${error.message}.`,
      ),
    ),
    ...damaged.map((message) => paragraph(`A snapshot cannot be read: ${message}.`, 'bad')),
    ...(missed.length === 0 ? [] : [paragraph('Missed:'), ...list(missed)]),
    ...(neverShown.length === 0 ? [] : [paragraph('Never shown:'), ...list(neverShown)]),
  ];
}
