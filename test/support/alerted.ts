/** A plan with the ladder of the playbooks, whose channels remember what they are told. */

import type { AlertMessage, Message } from '../../src/alert/index.ts';
import type { Clock } from '../../src/foundation/clock.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { Workspace } from '../../src/operations/index.ts';
import type { Plan } from '../../src/plan/index.ts';
import { planSchema } from '../../src/plan/schema.ts';
import { buildPlan } from '../../src/plan/view.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { mirroredWorkspace } from './mirrored.ts';

const command = { type: 'command', command: ['true'] };

/** What a plan says of alerts and of who is told. */
export function alerting(rules: object = {}): Pick<Plan, 'alerts' | 'contacts'> {
  const document = planSchema.parse({
    ...{ version: 1, name: 'test', repositories: {}, sources: {} },
    contacts: {
      oncall: { role: 'On-call engineer', phone: '+1-555', channel: 'pager' },
      lead: { role: 'DevOps lead', channel: 'lead-mail' },
      cto: { role: 'CTO', channel: 'cto-mail' },
    },
    alerts: {
      channels: { pager: command, team: command, 'lead-mail': command, 'cto-mail': command },
      routes: [{ to: 'team' }],
      escalation: [
        { after: '0m', notify: ['oncall'] },
        { after: '0m', notify: ['lead'], severity: 'p1' },
        { after: '30m', notify: ['lead'] },
        { after: '60m', notify: ['cto'], untilResolved: true },
      ],
      rules,
    },
  });
  const { alerts, contacts } = buildPlan(document, '/');
  return { alerts, contacts };
}

/** What a channel was told, and when. */
export interface Told {
  atMs: number;
  channel: string;
  message: AlertMessage;
}

/** A workspace whose channels put what they are told into a list; those that are among the refusing refuse. */
export function alertedWorkspace(
  stores: Record<string, ObjectStore>,
  more: Partial<Plan>,
  clock: Clock,
): { workspace: Workspace; told: Told[]; refusing: Set<string> } {
  const told: Told[] = [];
  const refusing = new Set<string>();
  const { plan, environment } = mirroredWorkspace(stores, { ...alerting(), ...more }, { clock });
  const createChannel = async ({ name }: { name: string }) => ({
    takes: () => true,
    send: async (message: Message) => {
      if (refusing.has(name)) throw new HoldfastError('channel-failed', `${name} answered 500`);
      told.push({ atMs: clock.nowMs(), channel: name, message: message as AlertMessage });
    },
  });
  const adapters = { ...environment.adapters, createChannel };
  return { workspace: new Workspace({ plan }, { ...environment, adapters }), told, refusing };
}
