/** What a plan promises, and what the ledger shows of each promise. Pure. */
import type { PlaybookFacts } from '../facts.ts';
import { dataPromises } from './data.ts';
import { peoplePromises } from './people.ts';
import type { KeptPromise, PromiseKind } from './promise.ts';
import { recoveryPromises } from './recovery.ts';

export type { KeptPromise, PromiseKind } from './promise.ts';

/** In the order of the playbook. */
export function promisesOf(facts: PlaybookFacts): KeptPromise[] {
  return [...dataPromises(facts), ...recoveryPromises(facts), ...peoplePromises(facts)];
}

export type FindPromise = (kind: PromiseKind, subject: string) => KeptPromise | undefined;
