/**
 * Cloud DNS in memory, over HTTP, with the calls that Holdfast makes and no other. It refuses what the real one refuses, and
 * takes no call without a token that it gave.
 *
 * Source: Google Cloud, "Cloud DNS: REST reference", managedZones, resourceRecordSets and changes.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { credentialsFor, SUBJECT_TOKEN } from './fake-gcs.ts';

export interface RecordSet {
  name: string;
  type: string;
  ttl: number;
  rrdatas?: string[];
  routingPolicy?: object;
}

interface ManagedZone {
  dnsName: string;
  visibility: 'public' | 'private';
  sets: RecordSet[];
  serial: number;
  changes: { id: string; looks: number }[];
}

interface Change {
  additions?: RecordSet[];
  deletions?: RecordSet[];
}

export class CloudDnsServer {
  readonly #zones = new Map<string, ManagedZone>();
  readonly #tokens = new Set<string>();
  readonly #project: string;
  readonly #server = createServer((request, response) => {
    this.#answer(request).then(
      (body) => {
        if (body === 'lost') response.writeHead(503, JSON_TYPE).end('{"error":{"code":503,"message":"come again"}}');
        else response.writeHead(200, JSON_TYPE).end(JSON.stringify(body));
      },
      (error: unknown) => {
        const [code, message] = error instanceof Refusal ? [error.code, error.message] : [500, String(error)];
        response.writeHead(code, JSON_TYPE).end(JSON.stringify({ error: { code, message, errors: [{ message }] } }));
      },
    );
  });
  /** How often it is asked for a change before that is done. */
  looksUntilDone = 2;
  /** The next change is made, and its answer lost. */
  losesAnswer = false;
  /** Called between the look at a record and the change of it. */
  beforeChange: (() => void) | undefined;
  changes = 0;

  constructor(project: string) {
    this.#project = project;
  }

  /** @returns what a program needs to reach it */
  async start(): Promise<Record<string, string>> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    const directory = mkdtempSync(join(tmpdir(), 'google-'));
    const [file, subject] = [join(directory, 'credentials.json'), join(directory, 'subject')];
    writeFileSync(subject, SUBJECT_TOKEN);
    writeFileSync(file, JSON.stringify(credentialsFor(endpoint, subject)));
    return {
      ...{ GOOGLE_APPLICATION_CREDENTIALS: file, METADATA_SERVER_DETECTION: 'none' },
      CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS: `${endpoint}/`,
    };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  zone(name: string, dnsName: string, visibility: ManagedZone['visibility'] = 'public'): void {
    this.#zones.set(name, { dnsName, visibility, sets: [], serial: 1, changes: [] });
  }

  put(zone: string, set: RecordSet): void {
    const { sets } = this.#zones.get(zone)!;
    const others = sets.filter((each) => !isOf(each, set));
    this.#zones.get(zone)!.sets = [...others, set];
  }

  sets(zone: string): RecordSet[] {
    return this.#zones.get(zone)!.sets;
  }

  async #answer(request: IncomingMessage): Promise<object | 'lost'> {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://here');
    const body = await text(request);
    if (pathname === '/token') return this.#token();
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined || !this.#tokens.has(token)) throw new Refusal(401, 'Login Required.');
    const [, project, zoneName, rest = '', id] = PATH.exec(pathname) ?? [];
    if (project !== this.#project) throw new Refusal(403, `Permission denied on project ${project}.`);
    if (zoneName === undefined) return this.#list(searchParams.get('dnsName'));
    const zone = this.#zones.get(zoneName);
    if (zone === undefined) throw notFound(`managedZone' resource named '${zoneName}`);
    if (rest === '') return { name: zoneName, dnsName: zone.dnsName, visibility: zone.visibility };
    if (rest === 'rrsets') return { rrsets: matching(zone, searchParams) };
    if (request.method === 'POST') return this.#change(zone, JSON.parse(body) as Change);
    return this.#look(zone, id ?? '');
  }

  #token(): object {
    const access_token = randomBytes(12).toString('hex');
    this.#tokens.add(access_token);
    const token_type = 'Bearer';
    return {
      access_token,
      token_type,
      expires_in: 3600,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    };
  }

  #list(dnsName: string | null): object {
    const zones = [...this.#zones].filter(([, zone]) => dnsName === null || zone.dnsName === dnsName);
    return {
      managedZones: zones.map(([name, zone]) => ({ name, dnsName: zone.dnsName, visibility: zone.visibility })),
    };
  }

  #change(zone: ManagedZone, { additions = [], deletions = [] }: Change): object | 'lost' {
    this.beforeChange?.();
    this.beforeChange = undefined;
    for (const [index, set] of deletions.entries()) {
      const known = zone.sets.find((each) => isOf(each, set));
      if (known === undefined) throw notFound(`entity.change.deletions[${index}]`);
      const isSame = known.ttl === set.ttl && known.rrdatas?.join('\n') === set.rrdatas?.join('\n');
      if (!isSame) throw new Refusal(412, `Precondition not met for 'entity.change.deletions[${index}]'`);
    }
    const left = zone.sets.filter((each) => !deletions.some((set) => isOf(each, set)));
    for (const [index, set] of additions.entries()) {
      if (left.some((each) => isOf(each, set)))
        throw new Refusal(
          409,
          `The resource 'entity.change.additions[${index}]' named '${set.name} (${set.type})' already exists`,
        );
      const beside = left.filter(({ name }) => name === set.name);
      if (beside.some(({ type }) => type === 'CNAME') || (set.type === 'CNAME' && beside.length > 0))
        throw new Refusal(
          400,
          `The resource record set '${set.name} (${set.type})' is invalid because a CNAME is beside it`,
        );
      if (!set.name.endsWith('.') || !Number.isInteger(set.ttl)) throw new Refusal(400, 'Invalid value');
    }
    zone.sets = [...left, ...additions];
    zone.serial++;
    const id = String(++this.changes);
    zone.changes.push({ id, looks: 0 });
    if (!this.losesAnswer) return { kind: 'dns#change', id, status: 'pending', additions, deletions };
    this.losesAnswer = false;
    return 'lost';
  }

  #look(zone: ManagedZone, id: string): object {
    const change = zone.changes.find((each) => each.id === id);
    if (change === undefined) throw notFound(`change' resource named '${id}`);
    return { kind: 'dns#change', id, status: ++change.looks >= this.looksUntilDone ? 'done' : 'pending' };
  }
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const PATH = /^\/dns\/v1\/projects\/([^/]+)\/managedZones(?:\/([^/]+)(?:\/(rrsets|changes)(?:\/([^/]+))?)?)?$/;

class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

function notFound(what: string): Refusal {
  return new Refusal(404, `The 'parameters.${what}' does not exist.`);
}

function isOf(one: RecordSet, other: Pick<RecordSet, 'name' | 'type'>): boolean {
  return one.name.toLowerCase() === other.name.toLowerCase() && one.type === other.type;
}

function matching({ dnsName, serial, sets }: ManagedZone, query: URLSearchParams): RecordSet[] {
  const [name, type] = [query.get('name'), query.get('type')];
  if (type !== null && name === null) throw new Refusal(400, 'a type takes a name');
  const soa = `ns-cloud-a1.googledomains.com. cloud-dns-hostmaster.google.com. ${serial} 21600 3600 259200 300`;
  const all = [...sets, { name: dnsName, type: 'SOA', ttl: 21600, rrdatas: [soa] }];
  return all.filter(
    (set) => (name === null || isOf(set, { name, type: set.type })) && (type === null || set.type === type),
  );
}
