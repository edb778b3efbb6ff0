/** What steps find out, that later ones may use as `${id.name}`. */
import type { StepKindName } from './index.ts';

/** Beside these, every step has `state`: done, failed or skipped. A `*` stands for any name. */
export const STEP_OUTPUTS: Readonly<Record<StepKindName, readonly string[]>> = {
  approve: ['by'],
  notify: [],
  note: [],
  task: ['by', 'note'],
  wait: [],
  review: ['due'],
  exec: ['output', 'json.*'],
  http: ['status', 'output', 'json.*'],
  deploy: ['output', 'json.*'],
  'keys.revoke': ['output', 'status', 'json.*'],
  'maintenance.on': [],
  'maintenance.off': [],
  compare: ['differences', 'time', 'snapshot'],
  'recovery-point': ['time', 'snapshot', 'reason', 'lossMs'],
  restore: ['target', 'url', 'time', 'snapshot', 'bytes'],
  verify: ['outcome', 'time'],
  backup: ['snapshots', 'proven'],
  'service.check': ['answer', 'ms'],
  monitor: ['availability', 'samples'],
  'postgres.fence': ['proven', 'position', 'pending'],
  'postgres.promote': ['url', 'position', 'timeline', 'lostMs', 'lostBytes'],
  'postgres.reseed': ['position', 'divergentBytes'],
  'redis.promote': ['url', 'offset', 'lostMs', 'pending'],
  'redis.reseed': ['offset'],
  'connection.update': ['version', 'path'],
  'dns.update': ['before', 'serial'],
  'credentials.rotate': ['rotated'],
  isolate: ['output', 'status', 'json.*'],
};

/** Whether a step of this kind finds out something of this name. */
export function hasOutput(kind: StepKindName, name: string): boolean {
  if (name === 'state') return true;
  return STEP_OUTPUTS[kind].some((each) => (each.endsWith('*') ? name.startsWith(each.slice(0, -1)) : each === name));
}

/** What a runbook knows of its own incident or drill: `${incident.since}`. */
export const INCIDENT_OUTPUTS: readonly string[] = ['id', 'since', 'severity', 'runbook', 'kind'];
