import { type protos, SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials, status } from '@grpc/grpc-js';
import { CRC32C_START, updateCrc32c } from '../../foundation/crc32c.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';

/** Variables of the environment that say where Secret Manager is, where it is not Google's: host and port. */
const EMULATOR = 'SECRET_MANAGER_EMULATOR_HOST';
const PAGE_SIZE = 250;
/** What only reads is tried again for a minute, and not for ten, as the library would. */
const READING = {
  retry: {
    retryCodes: [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED],
    backoffSettings: {
      initialRetryDelayMillis: 100,
      retryDelayMultiplier: 2,
      maxRetryDelayMillis: 10_000,
      initialRpcTimeoutMillis: 20_000,
      rpcTimeoutMultiplier: 1,
      maxRpcTimeoutMillis: 20_000,
      totalTimeoutMillis: 60_000,
    },
  },
};
/** Said so, since the library's default is something else, which it warns of on the terminal with each listing. */
const LISTING = { ...READING, autoPaginate: false };

export type Variables = Readonly<Record<string, string | undefined>>;

/** A project, or the part of it that is kept in one region. */
export interface SecretProject {
  project: string;
  location?: string;
}

/** What is set of a secret: as the interface has it, with times as RFC 3339. */
export interface SecretSettings {
  /** Its last part. */
  name: string;
  createTime?: string;
  replication?: unknown;
  customerManagedEncryption?: unknown;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Names of versions, and their numbers. */
  versionAliases: Record<string, string>;
  topics: string[];
  rotation?: unknown;
  expireTime?: string;
  versionDestroyTtl?: string;
}

export interface SecretVersion {
  /** Counts from 1. */
  version: string;
  state: 'enabled' | 'disabled' | 'destroyed';
  createTime?: string;
  destroyTime?: string;
}

/** The secrets of a project in Google's Secret Manager. Nothing is asked of it before the first call. */
export class SecretManager {
  readonly #client: SecretManagerServiceClient;
  #isOpen = false;
  /** `projects/P` or `projects/P/locations/L` */
  readonly parent: string;

  constructor({ project, location }: SecretProject, variables: Variables) {
    this.parent = location === undefined ? `projects/${project}` : `projects/${project}/locations/${location}`;
    this.#client = new SecretManagerServiceClient(clientOptions(location, variables));
  }

  /**
   * All secrets of the project, or those that a filter of Secret Manager's own means; sorted by name.
   * @throws source-refused, source-unreachable, source-lost
   */
  async list(filter?: string): Promise<SecretSettings[]> {
    return this.#call(`the secrets of ${this.parent}`, async () => {
      const request = { parent: this.parent, pageSize: PAGE_SIZE, ...(filter !== undefined && { filter }) };
      const secrets: SecretSettings[] = [];
      for await (const secret of this.#client.listSecretsAsync(request, LISTING)) secrets.push(settingsOf(secret));
      return secrets.sort((a, b) => (a.name < b.name ? -1 : 1));
    });
  }

  /** What is set of a secret; undefined where there is none of that name. @throws source-refused … */
  async get(name: string): Promise<SecretSettings | undefined> {
    return this.#call(`the secret ${name}`, async () => {
      try {
        return settingsOf((await this.#client.getSecret({ name: this.#name(name) }, READING))[0]);
      } catch (error) {
        if (codeOf(error) === status.NOT_FOUND) return undefined;
        throw error;
      }
    });
  }

  /** All versions of a secret, oldest first. @throws source-refused … */
  async versions(name: string): Promise<SecretVersion[]> {
    return this.#call(`the versions of the secret ${name}`, async () => {
      const versions: SecretVersion[] = [];
      const request = { parent: this.#name(name), pageSize: PAGE_SIZE };
      for await (const version of this.#client.listSecretVersionsAsync(request, LISTING))
        versions.push(versionOf(version));
      return versions.sort((a, b) => Number(a.version) - Number(b.version));
    });
  }

  /** The value of a version. What came is held against the checksum that came with it. @throws source-refused, source-lost … */
  async access(name: string, version: string): Promise<Buffer> {
    const about = `version ${version} of the secret ${name}`;
    return this.#call(about, async () => {
      const asked = { name: `${this.#name(name)}/versions/${version}` };
      const [{ payload }] = await this.#client.accessSecretVersion(asked, READING);
      const data = Buffer.from((payload?.data ?? new Uint8Array()) as Uint8Array);
      const promised = payload?.dataCrc32c;
      if (promised === undefined || promised === null || Number(promised) === crc32c(data)) return data;
      throw new HoldfastError('source-lost', `${about} came altered: its checksum is another`, { retryable: true });
    });
  }

  /** Makes a secret without versions. @throws source-refused … */
  async create(settings: SecretSettings): Promise<void> {
    const { name, labels, annotations, versionDestroyTtl } = settings;
    const replication = (settings.replication ?? { automatic: {} }) as object;
    const isRegional = this.parent.includes('/locations/');
    await this.#call(`the secret ${name}`, () =>
      this.#client.createSecret({
        parent: this.parent,
        secretId: name,
        secret: {
          ...{ labels, annotations },
          // What is kept in one region says so by its name alone.
          ...(isRegional ? {} : { replication }),
          ...(versionDestroyTtl !== undefined && {
            versionDestroyTtl: { seconds: Number.parseInt(versionDestroyTtl, 10) },
          }),
        },
      }),
    );
  }

  /** Adds a version with this value. @returns its number. @throws source-refused … */
  async add(name: string, data: Buffer): Promise<string> {
    return this.#call(`the secret ${name}`, async () => {
      const payload = { data, dataCrc32c: crc32c(data) };
      const [version] = await this.#client.addSecretVersion({ parent: this.#name(name), payload });
      return versionOf(version).version;
    });
  }

  /** Has a version give its value to nobody, until it is enabled again. @throws source-refused … */
  async disable(name: string, version: string): Promise<void> {
    await this.#call(`version ${version} of the secret ${name}`, () =>
      this.#client.disableSecretVersion({ name: `${this.#name(name)}/versions/${version}` }),
    );
  }

  /** Gives versions these names, in place of those that the secret's have. @throws source-refused … */
  async setAliases(name: string, versionAliases: Record<string, string>): Promise<void> {
    await this.#call(`the secret ${name}`, () =>
      this.#client.updateSecret({
        secret: { name: this.#name(name), versionAliases },
        updateMask: { paths: ['version_aliases'] },
      }),
    );
  }

  async close(): Promise<void> {
    if (this.#isOpen) await this.#client.close();
  }

  #name(secret: string): string {
    return `${this.parent}/secrets/${secret}`;
  }

  async #call<T>(about: string, work: () => Promise<T>): Promise<T> {
    try {
      // Left to a call of its own, the library throws missing credentials where nobody can catch them.
      await this.#client.initialize();
      this.#isOpen = true;
      return await work();
    } catch (error) {
      throw isHoldfastError(error) ? error : secretManagerError(error, about);
    }
  }
}

/**
 * The value of a version, by its full name.
 * @throws source-refused, source-unreachable, source-lost; path-missing where there is none
 */
export async function readSecretVersion(fullName: string, { env }: { env: Variables }): Promise<Buffer> {
  const parts = /^projects\/([^/]+)\/(?:locations\/([^/]+)\/)?secrets\/([^/]+)\/versions\/([^/]+)$/.exec(fullName);
  if (parts === null) throw new HoldfastError('internal', `${fullName} is not the name of a version`);
  const [, project = '', location, name = '', version = ''] = parts;
  const manager = new SecretManager({ project, ...(location !== undefined && { location }) }, env);
  try {
    return await manager.access(name, version);
  } finally {
    await manager.close();
  }
}

function clientOptions(
  location: string | undefined,
  variables: Variables,
): NonNullable<ConstructorParameters<typeof SecretManagerServiceClient>[0]> {
  const emulator = variables[EMULATOR];
  if (emulator !== undefined && emulator !== '') {
    const { hostname, port } = new URL(`http://${emulator}`);
    return { servicePath: hostname, port: Number(port || 80), sslCreds: credentials.createInsecure() };
  }
  return location === undefined ? {} : { apiEndpoint: `secretmanager.${location}.rep.googleapis.com` };
}

function codeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' ? code : undefined;
}

/** The library's own message may hold what was sent: of it only the kind of failure is taken over. */
function secretManagerError(error: unknown, about: string): HoldfastError {
  const code = codeOf(error);
  const kind = code === undefined ? undefined : status[code];
  const context = { ...(kind !== undefined && { status: kind }) };
  switch (code) {
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
      return new HoldfastError('source-refused', `Secret Manager refuses ${about}`, {
        hint: 'A backup needs `roles/secretmanager.viewer` and `roles/secretmanager.secretAccessor`, a restore `roles/secretmanager.admin`. See also whether the interface is enabled in the project.',
        context,
      });
    case status.NOT_FOUND:
      return new HoldfastError('path-missing', `Secret Manager does not have ${about}`, {
        hint: 'See whether project and name are right.',
        context,
      });
    case status.FAILED_PRECONDITION:
      return new HoldfastError('source-refused', `Secret Manager does not give ${about} in the state that it is in`, {
        hint: 'It is disabled or destroyed: `gcloud secrets versions list NAME` says which.',
        context,
      });
    case status.INVALID_ARGUMENT:
    case status.ALREADY_EXISTS:
    case status.ABORTED:
      return new HoldfastError('source-refused', `Secret Manager does not take what it was asked of ${about}`, {
        hint: 'See whether project, name and filter are right, and whether somebody else changed it at the same time.',
        context,
      });
    case undefined:
      return new HoldfastError('source-unreachable', `Secret Manager cannot be asked for ${about}`, {
        hint: 'Credentials come from where Google’s tools take them: set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`.',
      });
    default:
      return new HoldfastError('source-unreachable', `Secret Manager did not answer for ${about}`, {
        hint: 'See whether it can be reached from this machine, and run the command again.',
        retryable: true,
        context,
      });
  }
}

/** As Secret Manager has it: an unsigned number. */
function crc32c(bytes: Uint8Array): number {
  return ~updateCrc32c(CRC32C_START, bytes) >>> 0;
}

type ApiSecret = protos.google.cloud.secretmanager.v1.ISecret;
type ApiVersion = protos.google.cloud.secretmanager.v1.ISecretVersion;
type ApiTime = ApiVersion['createTime'];

function settingsOf(secret: ApiSecret): SecretSettings {
  const { replication, customerManagedEncryption, rotation, topics, versionDestroyTtl: ttl } = secret;
  const [createTime, expireTime] = [timeText(secret.createTime), timeText(secret.expireTime)];
  return {
    name: lastPart(secret.name),
    ...(createTime !== undefined && { createTime }),
    ...(replication && { replication: plain(replication) }),
    ...(customerManagedEncryption && { customerManagedEncryption: plain(customerManagedEncryption) }),
    labels: { ...secret.labels },
    annotations: { ...secret.annotations },
    versionAliases: Object.fromEntries(
      Object.entries(secret.versionAliases ?? {}).map(([alias, n]) => [alias, String(n)]),
    ),
    topics: (topics ?? []).map(({ name }) => name ?? ''),
    ...(rotation && { rotation: plain(rotation) }),
    ...(expireTime !== undefined && { expireTime }),
    ...(ttl?.seconds !== undefined && ttl.seconds !== null && { versionDestroyTtl: `${String(ttl.seconds)}s` }),
  };
}

function versionOf({ name, state, createTime, destroyTime }: ApiVersion): SecretVersion {
  const [created, destroyed] = [timeText(createTime), timeText(destroyTime)];
  const said = String(state ?? '').toLowerCase();
  return {
    version: lastPart(name),
    state: said === 'enabled' || said === 'destroyed' ? said : 'disabled',
    ...(created !== undefined && { createTime: created }),
    ...(destroyed !== undefined && { destroyTime: destroyed }),
  };
}

function lastPart(name: string | null | undefined): string {
  return (name ?? '').split('/').at(-1) ?? '';
}

function timeText(time: ApiTime): string | undefined {
  if (time === undefined || time === null) return undefined;
  const milliseconds = Number(time.seconds ?? 0) * 1000 + Math.floor(Number(time.nanos ?? 0) / 1e6);
  return new Date(milliseconds).toISOString();
}

/** A message of the interface as JSON has it, with what is not set left out. */
function plain(message: object): unknown {
  return JSON.parse(JSON.stringify(message));
}
