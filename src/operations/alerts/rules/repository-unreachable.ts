import { HoldfastError } from '../../../foundation/errors.ts';
import type { Rule } from '../../../plan/index.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { ArchiveFacts, Facts, MirrorFacts, RepositoryFacts } from '../facts/facts.ts';
import { exampleFacts, exampleRepository } from './example.ts';
import { mendsDamage, moment } from './words.ts';

/** A repository, a mirror or an archive cannot be looked at; or what lies there is damaged, hidden or was put back. */
export const repositoryUnreachable: AlertRule = {
  basis: 'watch',
  find: (facts, rule) => [
    ...facts.repositories.flatMap(
      (each) => away(facts, rule, { ...each, name: each.repository }) ?? damaged(facts, each),
    ),
    ...facts.mirrors.flatMap((each) => away(facts, rule, { ...each, name: each.mirror }) ?? []),
    ...facts.archives.flatMap((each) => away(facts, rule, { ...each, name: each.archive }) ?? []),
  ],
  example: (plan, { afterMs }, nowMs) => {
    const error = new HoldfastError('store-unreachable', 'the store does not answer');
    return exampleFacts(plan, nowMs, {
      repositories: [exampleRepository(plan, { failure: { error, sinceMs: nowMs - 2 * afterMs! } })],
    });
  },
};

type Looked = Pick<RepositoryFacts | MirrorFacts | ArchiveFacts, 'failure'> & { name: string };

function away({ nowMs }: Facts, { afterMs }: Rule, { name, failure }: Looked): [Found] | undefined {
  if (failure === undefined || nowMs - failure.sinceMs < afterMs!) return undefined;
  return [
    {
      subject: name,
      message: `${name} has been out of reach since ${moment(failure.sinceMs)}: ${failure.error.message}`,
      sinceMs: failure.sinceMs,
      endangers: `backups to ${name} and recoveries from it; nobody can tell what is wrong there`,
      command: 'holdfast doctor',
    },
  ];
}

function damaged({ nowMs, plan }: Facts, { repository, damage, healed }: RepositoryFacts): Found[] {
  const first = damage[0];
  const common = { subject: repository, command: mendsDamage(plan, repository) };
  if (first !== undefined) {
    const more = damage.length > 1 ? `, and ${damage.length - 1} more` : '';
    const endangers = `recoveries from ${repository}: something of it may not come back`;
    return [{ ...common, message: `${repository}: ${first.what}${more}`, sinceMs: first.timeMs ?? nowMs, endangers }];
  }
  if (healed === undefined) return [];
  const { last } = healed;
  return [
    {
      ...common,
      message: `${repository} had damage, which was put back from ${last.from}: ${last.reason}`,
      sinceMs: Date.parse(last.time),
      endangers: `${repository}: what damaged one object may have damaged others`,
    },
  ];
}
