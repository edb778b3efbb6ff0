/**
 * Secret Manager in memory, over gRPC, with the calls that Holdfast makes and no other. It refuses what the real one refuses.
 *
 * Source: the comments of `google.cloud.secretmanager.v1`, and Google Cloud, "Secret Manager: quotas and limits", "Filter
 * secrets and versions", "Assign an alias to a secret version".
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { CRC32C_START, updateCrc32c } from '../../src/foundation/crc32c.ts';

const PROTOS = join(import.meta.dirname, '../../node_modules/@google-cloud/secret-manager/build/protos/protos.json');
const LARGEST_PAYLOAD_BYTES = 64 * 1024;
const LARGEST_PAGE = 25_000;
const SECRET_ID = /^[A-Za-z0-9_-]{1,255}$/;
const ALIAS = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;

interface StoredVersion {
  data: Buffer | undefined;
  state: 'ENABLED' | 'DISABLED' | 'DESTROYED';
  createTime: Timestamp;
}

interface StoredSecret {
  // biome-ignore lint/suspicious/noExplicitAny: as the interface has it
  settings: Record<string, any>;
  versions: StoredVersion[];
}

interface Timestamp {
  seconds: number;
  nanos: number;
}

/** What goes wrong on purpose, the next `times` times that a method is called of a resource. */
export interface SecretFault {
  method:
    | 'listSecrets'
    | 'listSecretVersions'
    | 'accessSecretVersion'
    | 'addSecretVersion'
    | 'disableSecretVersion'
    | 'createSecret'
    | 'getSecret';
  code: status;
  /** A part of the resource's name; every resource, when left out. */
  resource?: string;
  times: number;
}

export class SecretManagerServer {
  readonly #secrets = new Map<string, StoredSecret>();
  readonly faults: SecretFault[] = [];
  /** How often each method was called. */
  readonly calls = new Map<string, number>();
  /** Whether values come with one bit altered, as a broken network would have it. */
  alters = false;
  /** Whether it says that it has disabled a version, and has not. */
  ignoresDisable = false;
  /** No page is longer, whatever is asked for. */
  pageSize = 2;
  /** `127.0.0.1:PORT`, once it listens. */
  host = '';
  readonly #server = new Server();

  async start(): Promise<this> {
    const json = JSON.parse(readFileSync(PROTOS, 'utf8')) as Parameters<typeof fromJSON>[0];
    const options = { longs: String, enums: String, defaults: false, oneofs: false } as const;
    const loaded = fromJSON(json, options)['google.cloud.secretmanager.v1.SecretManagerService'];
    this.#server.addService(loaded as ServiceDefinition, this.#implementation());
    const port = await new Promise<number>((bound, failed) =>
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, number) =>
        error === null ? bound(number) : failed(error),
      ),
    );
    this.host = `127.0.0.1:${port}`;
    return this;
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  /** Puts a secret there, as somebody would have before. */
  put(name: string, values: (string | Buffer)[], settings: Record<string, unknown> = {}): void {
    this.#secrets.set(name, { settings: this.#settings(settings), versions: [] });
    for (const value of values) this.#add(name, Buffer.from(value));
  }

  setState(name: string, version: number, state: StoredVersion['state']): void {
    const stored = this.#secrets.get(name)!.versions[version - 1]!;
    stored.state = state;
    if (state === 'DESTROYED') stored.data = undefined;
  }

  remove(name: string): void {
    this.#secrets.delete(name);
  }

  /** Oldest first. */
  states(name: string): StoredVersion['state'][] {
    return this.#stored(name).versions.map(({ state }) => state);
  }

  /** The values of a secret's versions, oldest first; undefined where there is none. */
  values(name: string): (string | undefined)[] | undefined {
    return this.#secrets.get(name)?.versions.map(({ data }) => data?.toString());
  }

  settings(name: string): StoredSecret['settings'] | undefined {
    return this.#secrets.get(name)?.settings;
  }

  #settings(settings: Record<string, unknown>): StoredSecret['settings'] {
    return {
      replication: { automatic: {} },
      labels: {},
      annotations: {},
      versionAliases: {},
      createTime: now(),
      ...settings,
    };
  }

  #implementation(): UntypedServiceImplementation {
    // biome-ignore lint/suspicious/noExplicitAny: each method knows the shape of its own request
    const methods: Record<SecretFault['method'] | 'updateSecret', (request: any) => unknown> = {
      listSecrets: (request) => this.#listSecrets(request),
      listSecretVersions: (request) => this.#listVersions(request),
      getSecret: ({ name }) => this.#secret(name),
      accessSecretVersion: ({ name }) => this.#access(name),
      createSecret: (request) => this.#create(request),
      addSecretVersion: ({ parent, payload }) => this.#addChecked(parent, payload),
      updateSecret: (request) => this.#update(request),
      disableSecretVersion: ({ name }) => this.#disable(name),
    };
    return Object.fromEntries(
      Object.entries(methods).map(([method, answer]) => [
        method,
        // biome-ignore lint/suspicious/noExplicitAny: as above
        (call: { request: any }, done: (error: Partial<ServiceError> | null, value?: unknown) => void) => {
          this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
          try {
            const { request } = call;
            this.#fail(method, String(request.name ?? request.parent ?? request.secret?.name));
            done(null, answer(request));
          } catch (error) {
            done(error instanceof Refusal ? error : { code: status.INTERNAL, details: String(error) });
          }
        },
      ]),
    );
  }

  #fail(method: string, resource: string): void {
    const fault = this.faults.find(
      (each) => each.method === method && each.times > 0 && resource.includes(each.resource ?? ''),
    );
    if (fault === undefined) return;
    fault.times--;
    throw new Refusal(fault.code, `${method} of ${resource} fails on purpose`);
  }

  #listSecrets({ parent, pageSize, pageToken, filter = '' }: PageRequest & { filter?: string }): unknown {
    if (!/^projects\/[^/]+(\/locations\/[^/]+)?$/.test(parent)) throw invalid('the parent is no project');
    const names = [...this.#secrets.keys()].filter((name) => name.replace(/\/secrets\/.*/, '') === parent);
    const label = /^labels\.([a-z_-]+)[=:]([a-z0-9_-]+)$/.exec(filter);
    if (filter !== '' && label === null) throw invalid('this server knows filters such as labels.app=omni only');
    const meant = names.filter(
      (name) => label === null || this.#secrets.get(name)!.settings['labels'][label[1]!] === label[2],
    );
    const { page, nextPageToken } = this.#page(meant.reverse(), { pageSize, pageToken });
    return { secrets: page.map((name) => this.#secret(name)), nextPageToken, totalSize: meant.length };
  }

  /** Newest first, as the real one has them. */
  #listVersions({ parent, pageSize, pageToken }: PageRequest): unknown {
    const { versions } = this.#stored(parent);
    const all = versions.map((_, index) => this.#version(parent, index + 1)).reverse();
    const { page, nextPageToken } = this.#page(all, { pageSize, pageToken });
    return { versions: page, nextPageToken, totalSize: all.length };
  }

  #page<T>(all: T[], { pageSize = 0, pageToken = '' }: Partial<PageRequest>): { page: T[]; nextPageToken: string } {
    if (pageSize < 0 || pageSize > LARGEST_PAGE) throw invalid('the page is too large');
    if (!/^\d*$/.test(pageToken)) throw invalid('this token is not one of mine');
    const start = Number(pageToken);
    const end = start + Math.min(pageSize || this.pageSize, this.pageSize);
    return { page: all.slice(start, end), nextPageToken: end < all.length ? String(end) : '' };
  }

  #stored(name: string): StoredSecret {
    const stored = this.#secrets.get(name);
    if (stored === undefined) throw new Refusal(status.NOT_FOUND, `Secret [${name}] not found.`);
    return stored;
  }

  #secret(name: string): unknown {
    return { name, ...this.#stored(name).settings };
  }

  #version(secret: string, number: number): unknown {
    const { state, createTime } = this.#stored(secret).versions[number - 1]!;
    return { name: `${secret}/versions/${number}`, state, createTime };
  }

  #access(name: string): unknown {
    const [, secret = '', wanted = ''] = /^(.*)\/versions\/([^/]+)$/.exec(name) ?? [];
    const { versions, settings } = this.#stored(secret);
    const alias = settings['versionAliases'][wanted];
    const number = wanted === 'latest' ? versions.length : Number(alias ?? wanted);
    const version = versions[number - 1];
    if (version === undefined) throw new Refusal(status.NOT_FOUND, `Secret Version [${name}] not found.`);
    if (version.state !== 'ENABLED' || version.data === undefined)
      throw new Refusal(status.FAILED_PRECONDITION, `Secret Version [${name}] is in ${version.state} state.`);
    const data = Buffer.from(version.data);
    const dataCrc32c = crc32c(data);
    if (this.alters) data[0]! ^= 1;
    return { name: `${secret}/versions/${number}`, payload: { data, dataCrc32c } };
  }

  #disable(name: string): unknown {
    const [, secret = '', number = ''] = /^(.*)\/versions\/(\d+)$/.exec(name) ?? [];
    const version = this.#stored(secret).versions[Number(number) - 1];
    if (version === undefined) throw new Refusal(status.NOT_FOUND, `Secret Version [${name}] not found.`);
    if (version.state === 'DESTROYED')
      throw new Refusal(status.FAILED_PRECONDITION, `Secret Version [${name}] is in ${version.state} state.`);
    if (!this.ignoresDisable) version.state = 'DISABLED';
    return this.#version(secret, Number(number));
  }

  // biome-ignore lint/suspicious/noExplicitAny: as the interface has it
  #create({ parent, secretId, secret }: any): unknown {
    if (!SECRET_ID.test(secretId ?? '')) throw invalid('the id of the secret is none');
    const isRegional = String(parent).includes('/locations/');
    const { automatic, userManaged } = secret?.replication ?? {};
    if (!isRegional && (automatic === undefined) === (userManaged === undefined))
      throw invalid('exactly one kind of replication must be set');
    if (isRegional && secret?.replication !== undefined) throw invalid('a regional secret has no replication');
    if (Object.keys(secret?.versionAliases ?? {}).length > 0) throw invalid('an alias means no version yet');
    const name = `${parent}/secrets/${secretId}`;
    if (this.#secrets.has(name)) throw new Refusal(status.ALREADY_EXISTS, `Secret [${name}] already exists.`);
    this.#secrets.set(name, { settings: this.#settings(secret), versions: [] });
    return this.#secret(name);
  }

  #addChecked(parent: string, payload: { data?: Buffer; dataCrc32c?: string } = {}): unknown {
    const data = payload.data ?? Buffer.alloc(0);
    if (data.length > LARGEST_PAYLOAD_BYTES) throw invalid('the payload is larger than 64 KiB');
    if (payload.dataCrc32c !== undefined && Number(payload.dataCrc32c) !== crc32c(data))
      throw invalid('the checksum is another');
    return this.#version(parent, this.#add(parent, data));
  }

  #add(name: string, data: Buffer): number {
    return this.#stored(name).versions.push({ data: Buffer.from(data), state: 'ENABLED', createTime: now() });
  }

  // biome-ignore lint/suspicious/noExplicitAny: as the interface has it
  #update({ secret, updateMask }: any): unknown {
    const { settings, versions } = this.#stored(secret.name);
    if (updateMask?.paths?.join() !== 'version_aliases') throw invalid('this server changes aliases only');
    for (const [alias, number] of Object.entries(secret.versionAliases ?? {}))
      if (!ALIAS.test(alias) || alias === 'latest' || versions[Number(number) - 1] === undefined)
        throw invalid(`the alias ${alias} means no version`);
    settings['versionAliases'] = secret.versionAliases;
    return this.#secret(secret.name);
  }
}

interface PageRequest {
  parent: string;
  pageSize?: number | undefined;
  pageToken?: string | undefined;
}

class Refusal extends Error {
  readonly code: status;
  readonly details: string;

  constructor(code: status, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

function invalid(details: string): Refusal {
  return new Refusal(status.INVALID_ARGUMENT, details);
}

function crc32c(bytes: Uint8Array): number {
  return ~updateCrc32c(CRC32C_START, bytes) >>> 0;
}

function now(): Timestamp {
  const milliseconds = Date.now();
  return { seconds: Math.floor(milliseconds / 1000), nanos: (milliseconds % 1000) * 1_000_000 };
}
