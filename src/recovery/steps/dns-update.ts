/** Points a name somewhere else, and asks the server whether it leads there now. */
import type { DnsRecord, DnsServer } from '../../dns/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { shellWord } from '../../foundation/shell-word.ts';
import { parseDuration } from '../../foundation/units.ts';
import { resolveSecret } from '../../plan/index.ts';
import type { Foreseen, StepContext, StepKind, StepResult } from '../step.ts';
import { describeValue } from './calls/references.ts';
import { obstacleOf } from './failover/servers.ts';
import { assertFilled, unfilledNames } from './unfilled.ts';

type Context = StepContext<'dns.update'>;

export const dnsUpdate: StepKind<'dns.update'> = {
  describe: (context) => ({
    does: `points ${context.step.name} (${context.step.type}) to ${context.step.value}, which others may remember for ${context.step.ttl}`,
    byHand: byHand(context),
  }),
  foresee,
  run,
  leaves: ({ step }) => `${step.name} was pointed at ${step.value}, and is not pointed back`,
  inDrill: 'skip',
};

async function run(context: Context): Promise<StepResult> {
  const { step, signal } = context;
  assertFilled(step);
  const server = await serverOf(context);
  const { before, values, wasSo, serial, zone } = await server.replace(recordOf(context), step.zone, signal);
  const did = wasSo ? `led to ${values[0]} already` : `leads to ${values[0]} now, by the answer of its server`;
  const was = wasSo ? '' : before.length === 0 ? '; it led nowhere before' : `; before it was ${before.join(', ')}`;
  return {
    outcome: 'done',
    summary: `${step.name} (${step.type}) ${did}${was}; the zone ${zone} has the serial ${serial}`,
    outputs: { before: before.join(', '), serial },
  };
}

async function foresee(context: Context): Promise<Foreseen> {
  const { step, signal } = context;
  const obstacles: string[] = [];
  try {
    // What is not known yet can be asked for by its name all the same, but not be held against what there is.
    if (unfilledNames(step).length === 0) {
      await (await serverOf(context)).look(recordOf(context), step.zone, signal);
    }
  } catch (error) {
    obstacles.push(obstacleOf(error, signal));
  }
  return { ...dnsUpdate.describe(context), obstacles };
}

function recordOf({ step: { name, type, value, ttl } }: Context): DnsRecord {
  return { name, type, value, ttlSeconds: Math.ceil(parseDuration(ttl)! / 1000) };
}

/** @throws secret-unavailable, bad-usage */
async function serverOf({ step, workspace }: Context): Promise<DnsServer> {
  const { adapters } = workspace.environment;
  const { references } = workspace;
  if (adapters.createDnsServer === undefined) {
    throw new HoldfastError('internal', 'there is nothing that names could be pointed elsewhere with');
  }
  if (step.provider === 'cloud-dns') {
    const { provider, project } = step;
    return adapters.createDnsServer({ provider, ...(project !== undefined && { project }) }, references);
  }
  const { provider } = step;
  if (step.server === undefined) {
    throw new HoldfastError('bad-usage', `the step ${step.id} names no server`, {
      hint: "Let `server` name the zone's primary server.",
    });
  }
  const server = await resolveSecret(step.server, references);
  if (step.key === undefined) return adapters.createDnsServer({ provider, server }, references);
  const secret = await resolveSecret(step.key.secret, references);
  return adapters.createDnsServer({ provider, server, key: { ...step.key, secret } }, references);
}

function byHand({ step }: Context): string[] {
  const { name, type, value } = recordWords(step);
  const ttl = Math.ceil(parseDuration(step.ttl)! / 1000);
  if (step.provider === 'cloud-dns') {
    const zone = shellWord(step.zone ?? 'ZONE');
    return [`gcloud dns record-sets update ${name} --zone ${zone} --type ${type} --ttl ${ttl} --rrdatas ${value}`];
  }
  const server = step.server === undefined ? 'SERVER' : describeValue(step.server);
  return [
    `# As ${step.key === undefined ? 'who may update the zone' : `who has a file with the key ${step.key.name} (nsupdate -k FILE)`}, at ${server}:`,
    `printf '%s\\n' ${[`update delete ${step.name} ${type}`, `update add ${step.name} ${ttl} ${type} ${step.value}`, 'send'].map(shellWord).join(' ')} | nsupdate`,
  ];
}

function recordWords({ name, type, value }: Context['step']): Record<'name' | 'type' | 'value', string> {
  return { name: shellWord(name), type, value: shellWord(value) };
}
