/**
 * Google Cloud DNS, by its official client. Sources: Google Cloud, "Cloud DNS: REST reference", managedZones, resourceRecordSets
 * and changes.
 */
import { type Record as ClientRecord, DNS, type Zone } from '@google-cloud/dns';
import { HoldfastError, isHoldfastError, messageOf } from '../../foundation/errors.ts';
import { type Pause, pauseUntilAborted } from '../../foundation/pause.ts';
import type { CloudDnsSettings, DnsRecord, DnsReplaced, DnsServer, DnsState } from '../dns.ts';
import { absolute, fromData, isSameData, toData } from './record-data.ts';

/** So long a change may take to be at Google's name servers: usually it is seconds. */
const LONGEST_WAIT_MS = 2 * 60_000;
const PAUSE_MS = 500;
const REQUEST_TIMEOUT_MS = 20_000;
/** Where the interface is, when it is not at its usual place: a property of gcloud. */
const ENDPOINT = 'CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS';

const HTTP = {
  badRequest: 400,
  unauthenticated: 401,
  forbidden: 403,
  missing: 404,
  conflict: 409,
  changed: 412,
} as const;

interface Held {
  zone: Zone;
  /** Of all that it has names for. */
  zoneName: string;
  record: ClientRecord | undefined;
  data: string[];
  ttlSeconds: number | undefined;
}

/**
 * The managed zones of a project. Nothing is asked before the first call.
 * @param variables of which one may name another place of the interface, as Google's tools have it
 */
export function createCloudDnsServer(
  settings: CloudDnsSettings,
  variables: Readonly<Record<string, string | undefined>>,
): DnsServer {
  const server = new CloudDnsServer(settings, variables[ENDPOINT]);
  return {
    look: async (record, zone, signal) => server.state(record, await server.read(record, zone, signal)),
    replace: (record, zone, signal) => server.replace(record, zone, signal),
  };
}

class CloudDnsServer {
  readonly #client: DNS;

  constructor({ project }: CloudDnsSettings, endpoint: string | undefined) {
    this.#client = new DNS({ ...(project !== undefined && { projectId: project }) });
    this.#client.timeout = REQUEST_TIMEOUT_MS;
    if (endpoint !== undefined) this.#client.baseUrl = new URL('dns/v1', endpoint).href;
  }

  state({ type }: DnsRecord, { zoneName, data }: Held): DnsState {
    return { zone: zoneName.replace(/\.$/, ''), values: data.map((each) => fromData(type, each)) };
  }

  async read(record: DnsRecord, zoneName: string | undefined, signal: AbortSignal): Promise<Held> {
    toData(record.type, record.value);
    const zone = zoneName === undefined ? await this.#zoneOf(record, signal) : this.#client.zone(zoneName);
    const [metadata] = await ask(`the zone ${zone.name}`, signal, () => zone.getMetadata());
    const { dnsName } = metadata as { dnsName?: string };
    const name = absolute(record.name);
    if (dnsName === undefined || !`.${name.toLowerCase()}`.endsWith(`.${dnsName.toLowerCase()}`)) {
      throw new HoldfastError(
        'target-unsuitable',
        `the zone ${zone.name} has ${dnsName ?? 'no names'}, and not ${name}`,
        {
          hint: "Let `zone` be the zone's name in Cloud DNS, as `gcloud dns managed-zones list` has it.",
        },
      );
    }
    return { zone, zoneName: dnsName, ...(await recordIn(zone, record, signal)) };
  }

  async replace(record: DnsRecord, zoneName: string | undefined, signal: AbortSignal): Promise<DnsReplaced> {
    const held = await this.read(record, zoneName, signal);
    const wasSo = isSo(held, record);
    if (!wasSo) await change(held, record, signal);
    const { values } = this.state(record, { ...held, ...(await recordIn(held.zone, record, signal)) });
    const serial = await serialOf(held, signal);
    const { zone, values: before } = this.state(record, held);
    return { zone, before, values, wasSo, serial };
  }

  /** The zone with the longest name that the record is in. @throws target-unsuitable where none is, or several are */
  async #zoneOf({ name }: DnsRecord, signal: AbortSignal): Promise<Zone> {
    const labels = absolute(name).split('.');
    for (let at = 0; at < labels.length - 1; at++) {
      const dnsName = labels.slice(at).join('.');
      const [zones] = await ask('the zones', signal, () => this.#client.getZones({ dnsName } as object));
      if (zones.length > 1) {
        const names = zones.map((zone) => zone.name).join(', ');
        throw new HoldfastError('target-unsuitable', `several zones have ${dnsName}: ${names}`, {
          hint: 'Let `zone` name the one that is meant: a private one answers inside its networks alone.',
        });
      }
      if (zones[0] !== undefined) return zones[0];
    }
    throw new HoldfastError('target-unsuitable', `the project has no zone with ${name}`, {
      hint: 'See `gcloud dns managed-zones list`, and the `project` of the step.',
    });
  }
}

async function recordIn(
  zone: Zone,
  { name, type }: Pick<DnsRecord, 'name'> & { type: DnsRecord['type'] | 'SOA' },
  signal: AbortSignal,
): Promise<Pick<Held, 'record' | 'data' | 'ttlSeconds'>> {
  const query = { name: absolute(name), type };
  const [records] = await ask(`the records of ${name}`, signal, () => zone.getRecords(query));
  const [record] = records;
  if (record === undefined) return { record: undefined, data: [], ttlSeconds: undefined };
  const {
    rrdatas = [],
    ttl,
    routingPolicy,
  } = record.metadata as ClientRecord['metadata'] & { routingPolicy?: unknown };
  if (routingPolicy === undefined) return { record, data: rrdatas, ttlSeconds: ttl };
  throw new HoldfastError('target-unsuitable', `${name} (${type}) has a routing policy, which is not replaced`, {
    hint: 'Change the policy by an `exec` step: gcloud dns record-sets update … --routing-policy-data.',
  });
}

function isSo({ data, ttlSeconds }: Held, { type, value, ttlSeconds: wanted }: DnsRecord): boolean {
  return ttlSeconds === wanted && data.length === 1 && isSameData(type, data[0]!, toData(type, value));
}

/** Puts the record in place of what was seen, and nothing else; returns once it is at the name servers. */
async function change(held: Held, record: DnsRecord, signal: AbortSignal): Promise<void> {
  const { zone, record: old } = held;
  const { name, type, value, ttlSeconds: ttl } = record;
  const add = zone.record(type.toLowerCase(), { name: absolute(name), ttl, data: toData(type, value) });
  const what = `${name} (${type})`;
  let id: string;
  try {
    const config = { add, ...(old !== undefined && { delete: old }) };
    const [created] = await ask(what, signal, () => zone.createChange(config));
    id = created.id!;
  } catch (error) {
    if (!isHoldfastError(error, 'source-changed')) throw error;
    // It was sent again by the client, after an answer that was lost: then it is as it is to be.
    if (isSo({ ...held, ...(await recordIn(zone, record, signal)) }, record)) return;
    throw error;
  }
  await untilDone(zone, id, { what, pause: pauseUntilAborted(signal), signal });
}

async function untilDone(
  zone: Zone,
  id: string,
  { what, pause, signal }: { what: string; pause: Pause; signal: AbortSignal },
): Promise<void> {
  for (let waitedMs = 0; waitedMs < LONGEST_WAIT_MS; waitedMs += PAUSE_MS) {
    const [metadata] = await ask(what, signal, () => zone.change(id).getMetadata());
    if ((metadata as { status?: string }).status === 'done') return;
    await pause(PAUSE_MS);
  }
  throw new HoldfastError('timed-out', `Cloud DNS took the change of ${what}, and does not answer with it yet`, {
    hint: `See \`gcloud dns record-sets changes describe ${id} --zone ${zone.name}\`, and have the step done again.`,
    retryable: true,
  });
}

async function serialOf({ zone, zoneName }: Held, signal: AbortSignal): Promise<number> {
  const { data } = await recordIn(zone, { name: zoneName, type: 'SOA' }, signal);
  return Number(data[0]?.split(/\s+/)[2] ?? 0);
}

/** Asks, for as long as nobody ends it: what was sent by then may still take effect. */
async function ask<Answer>(what: string, signal: AbortSignal, work: () => Promise<Answer>): Promise<Answer> {
  signal.throwIfAborted();
  const over = new AbortController();
  const ended = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: over.signal });
  });
  try {
    return await Promise.race([work(), ended]);
  } catch (error) {
    signal.throwIfAborted();
    throw failed(what, error);
  } finally {
    over.abort();
  }
}

function failed(what: string, error: unknown): HoldfastError {
  const code = (error as { code?: unknown } | null)?.code;
  const message = messageOf(error);
  const more = { context: { ...(typeof code === 'number' && { status: code }) }, cause: error };
  switch (code) {
    case HTTP.unauthenticated:
    case HTTP.forbidden:
      return new HoldfastError('target-failed', `Cloud DNS refuses ${what}: ${message}`, {
        hint: 'The account needs `roles/dns.admin`. Credentials come from where Google’s tools take them: GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`.',
        ...more,
      });
    case HTTP.missing:
      return new HoldfastError('target-unsuitable', `Cloud DNS does not have ${what}: ${message}`, {
        hint: 'See `gcloud dns managed-zones list`, and the `project` and `zone` of the step.',
        ...more,
      });
    case HTTP.conflict:
    case HTTP.changed:
      return new HoldfastError('source-changed', `somebody else changed ${what} at the same moment: ${message}`, {
        hint: 'See who else changes it, and have the step done again.',
        ...more,
      });
    case HTTP.badRequest:
      return new HoldfastError('target-unsuitable', `Cloud DNS does not take ${what}: ${message}`, {
        hint: 'See `name`, `type` and `value` of the step: beside a CNAME a name has no other records.',
        ...more,
      });
    default:
      return new HoldfastError('target-failed', `Cloud DNS cannot be asked for ${what}: ${message}`, {
        hint: 'See whether it can be reached from this machine, and that there are credentials: GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`.',
        retryable: true,
        ...more,
      });
  }
}
