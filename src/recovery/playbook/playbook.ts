import type { PlaybookFacts } from './facts.ts';
import { type KeptPromise, type PromiseKind, promisesOf } from './promises/index.ts';

/** A plan as people read it: what it promises, and what the ledger shows of that. */
export interface Playbook {
  facts: PlaybookFacts;
  /** RFC 3339. */
  madeAt: string;
  promises: readonly KeptPromise[];
  find(kind: PromiseKind, subject: string): KeptPromise | undefined;
  /** Promises in words. */
  missed: readonly string[];
  neverShown: readonly string[];
}

export function playbookOf(facts: PlaybookFacts): Playbook {
  const promises = promisesOf(facts);
  const byName = new Map(promises.map((each) => [`${each.kind} ${each.subject}`, each]));
  return {
    ...{ facts, promises, madeAt: new Date(facts.nowMs).toISOString() },
    find: (kind, subject) => byName.get(`${kind} ${subject}`),
    missed: inWords(promises, 'missed'),
    neverShown: inWords(promises, 'never-shown'),
  };
}

const NAMES: Readonly<Record<PromiseKind, (subject: string) => string>> = {
  rpo: (source) => `RPO of ${source}`,
  rto: (source) => `RTO of ${source}`,
  proof: (source) => `a proof of ${source}`,
  schedule: (source) => `backups of ${source} by schedule`,
  retention: (source) => `how long backups of ${source} are kept`,
  verification: (name) => `the verification ${name}`,
  group: (name) => `the group ${name} at one moment`,
  check: (repository) => `the check of the repository ${repository}`,
  mirror: (name) => `the mirror ${name}`,
  archive: (name) => `the archive ${name}`,
  checkpoint: () => 'signed checkpoints of the ledger',
  runbook: (name) => `the runbook ${name}`,
  step: (name) => `the budget of ${name}`,
  drill: (name) => `the drill ${name.slice(name.indexOf(' ') + 1)}`,
  channel: (name) => `the channel ${name}`,
  report: (name) => `the report ${name}`,
  review: (name) => `the review of the ${name}`,
};

function inWords(promises: readonly KeptPromise[], wanted: KeptPromise['state']): string[] {
  return promises.flatMap(({ kind, subject, promised, state, measured }) => {
    // Of the steps of a runbook, the runbook says it.
    if (state !== wanted || (kind === 'step' && state === 'never-shown')) return [];
    return [`${NAMES[kind](subject)} (${promised})${measured === undefined ? '' : `: ${measured}`}`];
  });
}
