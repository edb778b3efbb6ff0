import { S3Client } from '@aws-sdk/client-s3';
import { frugalAgents } from './frugal-agents.ts';

/** A bucket, what the keys in it begin with, and how its server is reached. */
export interface S3StoreOptions {
  bucket: string;
  /** Without a `/` at its ends; may be empty. */
  prefix: string;
  /** Without it, the one that AWS's tools take. */
  region?: string;
  /** The URL of a server that speaks S3; without it, Amazon's own. */
  endpoint?: string;
  /** Whether the bucket is named in the path and not in the host. */
  pathStyle: boolean;
  /** For bulk content. */
  storageClass?: string;
  serverSideEncryption?: 'AES256' | 'aws:kms';
  kmsKeyId?: string;
  /** How long a connection may give no byte. */
  idleTimeoutMs?: number;
  /** How many objects are listed at once; without it, as many as the server likes. */
  listPageSize?: number;
}

/** What a server other than Amazon's is signed for where nothing names a region: most do not look at it. */
const ANY_REGION = 'us-east-1';
const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;
/** More than ever are used at once: how many are is decided above. */
const CONNECTIONS = 128;
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const NEVER_MS = 24 * 60 * 60_000;

/**
 * A client with credentials of AWS's own chain, which tries nothing twice: who calls decides on that. Bodies are covered
 * by their MD5, which the signature covers: AWS's default checksums are unknown to many other servers.
 */
export function createClient(options: S3StoreOptions): S3Client {
  const { endpoint, pathStyle, idleTimeoutMs = IDLE_TIMEOUT_MS } = options;
  const elsewhere = endpoint === undefined ? undefined : (process.env['AWS_REGION'] ?? ANY_REGION);
  const region = options.region ?? elsewhere;
  const client = new S3Client({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: pathStyle,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // What it would say on the terminal, it throws as well.
    logger: SILENT,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: idleTimeoutMs,
      // Calls may wait for a connection; it would warn of that on the terminal.
      socketAcquisitionWarningTimeout: NEVER_MS,
      ...frugalAgents({ keepAlive: true, maxSockets: CONNECTIONS }),
    },
  });
  keepOwnTime(client);
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      // Hashing each body a second time would take as long as all of the encryption.
      if (headers['content-md5'] !== undefined) headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'holdfastUnsignedPayload', priority: 'low' },
  );
  return client;
}

/**
 * After an answer that this machine's clock is wrong the client would sign by the server's: the first call would fail, and
 * those after it would hide what snapshots, retention and locks go by. So each of them fails until the clock is set.
 */
function keepOwnTime({ config }: S3Client): void {
  Object.defineProperty(config, 'systemClockOffset', { get: () => 0, set: () => {} });
}
