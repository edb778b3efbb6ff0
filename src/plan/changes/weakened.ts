import { isDeepStrictEqual } from 'node:util';
import { formatDuration } from '../../foundation/units.ts';
import type { RetentionPolicy } from '../../schedule/index.ts';
import type { Plan } from '../view.ts';

/** In what a plan promises or keeps less than the one before it. */
export interface Weakening {
  /** `retention`: snapshots go that would have stayed. `approvals`: less takes two persons. */
  kind: 'retention' | 'approvals' | 'objective' | 'source' | 'repository' | 'lock' | 'alert' | 'verification';
  /** In words, for people. */
  message: string;
}

/** All of it, in the order of the plan. What is another thing, and not surely less, is none. Pure. */
export function weakenedBy(before: Plan, after: Plan): Weakening[] {
  return [
    ...removedFrom(before, after),
    ...retentions(before, after),
    ...objectives(before, after),
    ...locks(before, after),
    ...rules(before, after),
    ...approvalsLost(before, after),
  ];
}

function removedFrom(before: Plan, after: Plan): Weakening[] {
  const gone = (kind: Weakening['kind'], what: string, one: Iterable<string>, other: Iterable<string>): Weakening[] => {
    const there = new Set(other);
    return [...one].filter((name) => !there.has(name)).map((name) => ({ kind, message: `${what} ${name} is removed` }));
  };
  const names = ({ verifications }: Plan): string[] => verifications.map(({ name }) => name);
  return [
    ...gone('repository', 'the repository', before.repositories.keys(), after.repositories.keys()),
    ...gone('repository', 'the mirror', before.mirrors.keys(), after.mirrors.keys()),
    ...gone('source', 'the source', before.sources.keys(), after.sources.keys()),
    ...gone('verification', 'the verification', names(before), names(after)),
    ...gone('alert', 'the channel', before.alerts.channels.keys(), after.alerts.channels.keys()),
  ];
}

function retentions(before: Plan, after: Plan): Weakening[] {
  const weakened: Weakening[] = [];
  const compare = (what: string, one: RetentionPolicy | undefined, other: RetentionPolicy | undefined): void => {
    if (isShorter(one, other)) weakened.push({ kind: 'retention', message: `the retention of ${what} is shorter` });
  };
  for (const [name, source] of after.sources) {
    const previous = before.sources.get(name);
    if (previous !== undefined) compare(name, previous.retention, source.retention);
  }
  for (const [name, { archive }] of after.repositories) {
    const previous = before.repositories.get(name)?.archive;
    if (previous !== undefined && archive !== undefined)
      compare(`the archive ${name}`, previous.retention, archive.retention);
  }
  return weakened;
}

/** Whether something that the one keeps may go by the other: any rule that keeps less, or is not there. Pure. */
function isShorter(one: RetentionPolicy | undefined, other: RetentionPolicy | undefined): boolean {
  if (other === undefined) return false;
  if (one === undefined) return true;
  return (Object.keys(one) as (keyof RetentionPolicy)[]).some((rule) => keepsLess(one[rule], other[rule]));
}

type Kept = RetentionPolicy[keyof RetentionPolicy];

function keepsLess(one: Kept, other: Kept): boolean {
  if (one === undefined || isDeepStrictEqual(one, other)) return false;
  if (other === undefined) return one !== 0;
  if (Array.isArray(one)) return one.some((tag) => !(other as string[]).includes(tag));
  if (typeof one === 'object') return spanMs(other as Span) < spanMs(one);
  return countOf(other) < countOf(one);
}

type Span = NonNullable<RetentionPolicy['within']>;

/** As short as a month may be against days, so that what may be shorter counts as such. */
function spanMs({ months = 0, ms = 0 }: Partial<Span>): number {
  return months * 30.4 * 24 * 3600_000 + ms;
}

function countOf(count: Kept): number {
  return count === 'forever' ? Number.POSITIVE_INFINITY : Number(count);
}

function objectives(before: Plan, after: Plan): Weakening[] {
  const words = { rpoMs: 'RPO', rtoMs: 'RTO', proofMs: 'age of the newest proof' } as const;
  return [...after.sources].flatMap(([name, source]) => {
    const previous = before.sources.get(name);
    if (previous === undefined) return [];
    return (Object.keys(words) as (keyof typeof words)[]).flatMap((key): Weakening[] => {
      const [one, other] = [previous.objectives[key], source.objectives[key]];
      if (one === undefined || (other !== undefined && other <= one)) return [];
      const now = other === undefined ? 'none' : formatDuration(other);
      return [{ kind: 'objective', message: `the ${words[key]} of ${name} is ${now}, and was ${formatDuration(one)}` }];
    });
  });
}

function locks(before: Plan, after: Plan): Weakening[] {
  return [...after.repositories, ...after.mirrors].flatMap(([name, { lock }]): Weakening[] => {
    const previous = (before.repositories.get(name) ?? before.mirrors.get(name))?.lock;
    if (previous === undefined) return [];
    const isWeaker = lock === undefined || lock.forMs < previous.forMs;
    const isLiftable = previous.mode === 'compliance' && lock?.mode === 'governance';
    if (!isWeaker && !isLiftable) return [];
    return [{ kind: 'lock', message: `the lock of ${name} is ${lock === undefined ? 'removed' : 'weaker'}` }];
  });
}

function rules({ alerts: before }: Plan, { alerts: after }: Plan): Weakening[] {
  return [...before.rules.keys()]
    .filter((name) => !after.rules.has(name))
    .map((name) => ({ kind: 'alert', message: `the alert ${name} is off` }));
}

function approvalsLost({ approvals: before }: Plan, { approvals: after }: Plan): Weakening[] {
  return before.twoPersons
    .filter((action) => !after.twoPersons.includes(action))
    .map((action) => ({ kind: 'approvals', message: `${action} takes two persons no more` }));
}
