import type { AlertRule, Found } from '../condition.ts';
import type { Facts, RunFacts, SourceFacts } from '../facts/facts.ts';
import { exampleFacts, exampleSource } from './example.ts';
import { mendsDamage } from './words.ts';

/** The newest proof of a source did not succeed, or a verification could not even begin. */
export const verificationFailed: AlertRule = {
  basis: 'sources',
  find: (facts) => [
    ...facts.sources.flatMap((each) => [...failedProof(each), ...failedReading(facts, each)].slice(0, 1)),
    ...[...facts.record.runs.values()].flatMap((run) => failedRun(facts, run)),
  ],
  example: (plan, _rule, nowMs) =>
    exampleFacts(plan, nowMs, {
      sources: [
        exampleSource(plan, {
          proof: {
            ...{ timeMs: nowMs, durationMs: 60_000, state: 'failed', snapshot: '0'.repeat(64) },
            ...{ failingMs: nowMs, reason: 'the check "customers exist" did not pass' },
          },
        }),
      ],
    }),
};

function failedProof({ source: { name }, proof }: SourceFacts): Found[] {
  if (proof === undefined || proof.state === 'proven') return [];
  const id = proof.snapshot.slice(0, 8);
  const what = proof.state === 'failed' ? 'did not come back as it should' : 'could not be proven here';
  return [
    {
      subject: name,
      message: `snapshot ${id} of ${name} ${what}: ${proof.reason}`,
      sinceMs: proof.failingMs ?? proof.timeMs,
      endangers:
        proof.state === 'failed'
          ? `the recovery of ${name}: what is stored may not be what it was`
          : `the recovery of ${name}: nobody knows whether it comes back`,
      command: proof.state === 'failed' ? `holdfast verify ${name}` : `holdfast doctor ${name}`,
    },
  ];
}

/** Of a verification that reads every byte, and restores nothing. */
function failedReading({ plan }: Facts, { source: { name, repository }, unreadable }: SourceFacts): Found[] {
  if (unreadable === undefined) return [];
  const { snapshot, sinceMs, message } = unreadable;
  return [
    {
      ...{ subject: name, sinceMs },
      message: `snapshot ${snapshot.slice(0, 8)} of ${name} is not as it was stored: ${message}`,
      endangers: `the recovery of ${name}: some of what is stored cannot be read`,
      command: mendsDamage(plan, repository),
    },
  ];
}

/** A run whose verification recorded no proof: its sandbox did not start, say. */
function failedRun({ plan, sources }: Facts, { task, last, failingMs }: RunFacts): Found[] {
  const subject = task.startsWith('verify:') ? task.slice('verify:'.length) : undefined;
  const planned = plan.verifications.find(({ name }) => name === subject);
  if (planned === undefined || last === undefined || !['failed', 'died'].includes(last.outcome)) return [];
  // Where a proof of it failed, that is told of its source.
  const isTold = sources.some(
    ({ source, proof }) => planned.sources.includes(source.name) && proof !== undefined && proof.state !== 'proven',
  );
  if (isTold) return [];
  const reason = last.outcome === 'died' ? 'its process died' : (last.message ?? 'nobody knows why');
  return [
    {
      subject: `verification ${subject}`,
      message: `the verification ${subject} failed: ${reason}`,
      sinceMs: failingMs ?? last.timeMs,
      endangers: `the recovery of ${planned.sources.join(', ')}: nobody knows whether it comes back`,
      command: `holdfast verify ${planned.sources.join(' ')}`,
    },
  ];
}
