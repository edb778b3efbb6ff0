/** Every kind of step that a runbook may have, each loaded when a runbook first has one. */
import { HoldfastError } from '../../foundation/errors.ts';
import type { StepKindName } from '../../plan/index.ts';
import type { StepKind } from '../step.ts';

type AnyStepKind = StepKind<never>;
export type StepKinds = Partial<Record<StepKindName, () => Promise<unknown>>>;

export const stepKinds: StepKinds = {
  approve: async () => (await import('./approve.ts')).approve,
  notify: async () => (await import('./notify.ts')).notify,
  note: async () => (await import('./note.ts')).note,
  task: async () => (await import('./task.ts')).task,
  wait: async () => (await import('./wait.ts')).wait,
  review: async () => (await import('./review.ts')).review,
  'credentials.rotate': async () => (await import('./credentials-rotate.ts')).credentialsRotate,
  isolate: async () => (await import('./isolate.ts')).isolate,
  'dns.update': async () => (await import('./dns-update.ts')).dnsUpdate,
  exec: async () => (await import('./exec.ts')).exec,
  http: async () => (await import('./http.ts')).http,
  deploy: async () => (await import('./deploy.ts')).deploy,
  'keys.revoke': async () => (await import('./keys-revoke.ts')).keysRevoke,
  'maintenance.on': async () => (await import('./maintenance.ts')).maintenanceOn,
  'maintenance.off': async () => (await import('./maintenance.ts')).maintenanceOff,
  compare: async () => (await import('./compare.ts')).compare,
  'recovery-point': async () => (await import('./recovery-point.ts')).recoveryPoint,
  restore: async () => (await import('./restore/index.ts')).restore,
  verify: async () => (await import('./verify.ts')).verify,
  backup: async () => (await import('./backup.ts')).backup,
  'service.check': async () => (await import('./service-check.ts')).serviceCheck,
  monitor: async () => (await import('./monitor.ts')).monitor,
  'connection.update': async () => (await import('./connection-update/index.ts')).connectionUpdate,
  'postgres.fence': async () => (await import('./postgres-fence.ts')).postgresFence,
  'postgres.promote': async () => (await import('./postgres-promote.ts')).postgresPromote,
  'postgres.reseed': async () => (await import('./postgres-reseed.ts')).postgresReseed,
  'redis.promote': async () => (await import('./redis-promote.ts')).redisPromote,
  'redis.reseed': async () => (await import('./redis-reseed.ts')).redisReseed,
};

/** @throws step-not-supported */
export async function loadStepKind(name: StepKindName, kinds: StepKinds = stepKinds): Promise<AnyStepKind> {
  const load = kinds[name];
  if (load !== undefined) return (await load()) as AnyStepKind;
  throw new HoldfastError('step-not-supported', `this version cannot run steps of the kind ${name}`, {
    hint: 'Nothing was done. Do it by an `exec` or a `task` step, or take such steps out of the runbook.',
    context: { kind: name },
  });
}
