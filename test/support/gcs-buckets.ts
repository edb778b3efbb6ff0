/** What a server of Cloud Storage keeps, and its rules: generations, preconditions, versions, retention, checksums. */

import { hash, randomBytes } from 'node:crypto';

/** An answer that is none of success, as the JSON interface words it. */
export class GcsRefusal extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

export interface Retention {
  mode: 'Unlocked' | 'Locked';
  retainUntilTime: string;
}

/** What a client may say of an object. */
export interface ObjectMetadata {
  name: string;
  contentType?: string;
  storageClass?: string;
  md5Hash?: string;
  crc32c?: string;
  metadata?: Record<string, string>;
  temporaryHold?: boolean;
  eventBasedHold?: boolean;
  retention?: Retention | null;
}

export interface GcsObject extends ObjectMetadata {
  content: Buffer;
  generation: string;
  metageneration: number;
  storageClass: string;
  md5Hash: string;
  crc32c: string;
  kmsKeyName?: string;
  timeCreated: string;
  updated: string;
  /** When it ceased to be the live one. */
  timeDeleted?: string;
  /** When it was deleted for good, and can be restored for a while. */
  softDeleteTime?: string;
}

export interface Bucket {
  name: string;
  location: string;
  project: string;
  /** Whether nobody outside can ever be let in. */
  isPrivate: boolean;
  metageneration: number;
  versioning?: { enabled: boolean };
  objectRetention?: { mode: 'Enabled' };
  softDeletePolicy?: { retentionDurationSeconds: string };
  billing?: { requesterPays: boolean };
  /** Oldest first. */
  objects: Map<string, GcsObject[]>;
}

type Query = URLSearchParams;

export const STORAGE_CLASSES = ['STANDARD', 'NEARLINE', 'COLDLINE', 'ARCHIVE'];
const BUCKET_NAME = /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/;
const LONGEST_NAME_BYTES = 1024;

let lastGeneration = BigInt(Date.now()) * 1000n;

export function crc32cOf(content: Buffer): string {
  let sum = 0xffffffff;
  for (const byte of content) sum = (CRC32C_TABLE[(sum ^ byte) & 0xff]! ^ (sum >>> 8)) >>> 0;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE((sum ^ 0xffffffff) >>> 0);
  return bytes.toString('base64');
}

/** The polynomial of Castagnoli, reversed. */
const CRC32C_TABLE = Array.from({ length: 256 }, (_, byte) => {
  let entry = byte;
  for (let bit = 0; bit < 8; bit++) entry = entry & 1 ? (entry >>> 1) ^ 0x82f63b78 : entry >>> 1;
  return entry >>> 0;
});

export const invalid = (message: string) => new GcsRefusal(400, 'invalid', message);
const notFound = (message: string) => new GcsRefusal(404, 'notFound', message);

export type BucketSettings = Partial<Bucket> & { name: string; iamConfiguration?: { publicAccessPrevention?: string } };

export function makeBucket(settings: BucketSettings, project: string): Bucket {
  if (!BUCKET_NAME.test(settings.name)) throw invalid(`Invalid bucket name: '${settings.name}'`);
  const { versioning, objectRetention, softDeletePolicy, billing, location = 'US', name } = settings;
  return {
    ...{ name, location: location.toUpperCase(), project, metageneration: 1, objects: new Map() },
    isPrivate: settings.iamConfiguration?.publicAccessPrevention === 'enforced',
    ...(versioning && { versioning }),
    ...(objectRetention && { objectRetention }),
    ...(softDeletePolicy && { softDeletePolicy }),
    ...(billing && { billing }),
  };
}

/** The live object, or the one of the generation that is asked for. @throws GcsRefusal 404 */
export function findObject(bucket: Bucket, name: string, query: Query): GcsObject {
  const generation = query.get('generation');
  const isWanted = (object: GcsObject) =>
    object.softDeleteTime === undefined || query.get('softDeleted') === 'true'
      ? generation === null
        ? object.timeDeleted === undefined && object.softDeleteTime === undefined
        : object.generation === generation
      : false;
  const found = bucket.objects.get(name)?.find(isWanted);
  if (found === undefined) {
    throw notFound(`No such object: ${bucket.name}/${name}${generation === null ? '' : `#${generation}`}`);
  }
  return found;
}

export function liveObject(bucket: Bucket, name: string): GcsObject | undefined {
  return bucket.objects.get(name)?.find(({ timeDeleted, softDeleteTime }) => !timeDeleted && !softDeleteTime);
}

/** @throws GcsRefusal 412 for an object that is not as the request has it */
export function checkPreconditions(object: GcsObject | undefined, query: Query): void {
  const generation = object?.generation ?? '0';
  const metageneration = `${object?.metageneration ?? 0}`;
  const failed =
    (query.get('ifGenerationMatch') ?? generation) !== generation ||
    query.get('ifGenerationNotMatch') === generation ||
    (query.get('ifMetagenerationMatch') ?? metageneration) !== metageneration ||
    query.get('ifMetagenerationNotMatch') === metageneration;
  if (failed) {
    throw new GcsRefusal(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.');
  }
}

/** What is wrong with an object before a byte of it is sent. @throws GcsRefusal 400 */
export function checkMetadata(bucket: Bucket, { name, storageClass, md5Hash, retention }: ObjectMetadata): void {
  if (typeof name !== 'string' || name === '') throw new GcsRefusal(400, 'required', 'Required');
  if (Buffer.byteLength(name) > LONGEST_NAME_BYTES || /[\r\n]/.test(name) || /^\.{1,2}$/.test(name)) {
    throw invalid(`Invalid object name: '${name}'`);
  }
  if (storageClass !== undefined && !STORAGE_CLASSES.includes(storageClass)) {
    throw invalid(`Invalid storage class: ${storageClass}`);
  }
  if (md5Hash !== undefined && !/^[A-Za-z0-9+/]{22}==$/.test(md5Hash)) throw invalid('Invalid MD5 value.');
  if (retention) checkRetention(bucket, undefined, retention, false);
}

/** Adds an object, which takes the place of the live one. @throws GcsRefusal */
export function addObject(
  bucket: Bucket,
  metadata: ObjectMetadata,
  content: Buffer,
  { query, kmsKeyName }: { query: Query; kmsKeyName?: string | null },
): GcsObject {
  checkMetadata(bucket, metadata);
  const live = liveObject(bucket, metadata.name);
  checkPreconditions(live, query);
  const [md5Hash, crc32c] = [hash('md5', content, 'base64'), crc32cOf(content)];
  if (metadata.md5Hash !== undefined && metadata.md5Hash !== md5Hash) {
    throw invalid(`Provided MD5 hash "${metadata.md5Hash}" doesn't match calculated MD5 hash "${md5Hash}".`);
  }
  if (metadata.crc32c !== undefined && metadata.crc32c !== crc32c) {
    throw invalid(`Provided CRC32C "${metadata.crc32c}" doesn't match calculated CRC32C "${crc32c}".`);
  }
  if (live !== undefined) retire(bucket, live);
  const now = new Date().toISOString();
  const object: GcsObject = {
    ...{ storageClass: 'STANDARD', contentType: 'application/octet-stream', ...metadata },
    ...{ content, md5Hash, crc32c, timeCreated: now, updated: now, metageneration: 1 },
    generation: `${++lastGeneration}`,
    ...(kmsKeyName ? { kmsKeyName: `${kmsKeyName}/cryptoKeyVersions/1` } : {}),
  };
  const versions = bucket.objects.get(metadata.name) ?? [];
  bucket.objects.set(metadata.name, [...versions, object]);
  return object;
}

/** Removes the live object, which stays as a version where the bucket keeps them, or one generation for good. */
export function removeObject(bucket: Bucket, name: string, query: Query): void {
  const object = findObject(bucket, name, query);
  checkPreconditions(object, query);
  if (query.has('generation')) removeForGood(bucket, object);
  else retire(bucket, object);
}

/** The live one is no longer so. */
function retire(bucket: Bucket, object: GcsObject): void {
  if (bucket.versioning?.enabled) object.timeDeleted = new Date().toISOString();
  else removeForGood(bucket, object);
}

function removeForGood(bucket: Bucket, object: GcsObject): void {
  const { name, generation } = object;
  if (object.temporaryHold || object.eventBasedHold) {
    throw new GcsRefusal(403, 'objectUnderActiveHold', `Object '${bucket.name}/${name}' is under active hold.`);
  }
  const until = object.retention?.retainUntilTime;
  if (until !== undefined && Date.parse(until) > Date.now()) {
    const message = `Object '${bucket.name}/${name}' is subject to object retention and cannot be deleted until ${until}`;
    throw new GcsRefusal(403, 'retentionPolicyNotMet', message);
  }
  if (bucket.softDeletePolicy !== undefined && bucket.softDeletePolicy.retentionDurationSeconds !== '0') {
    object.softDeleteTime = new Date().toISOString();
    return;
  }
  const rest = (bucket.objects.get(name) ?? []).filter((other) => other.generation !== generation);
  if (rest.length === 0) bucket.objects.delete(name);
  else bucket.objects.set(name, rest);
}

/** Changes what is said of an object. @throws GcsRefusal */
export function patchObject(bucket: Bucket, name: string, patch: Partial<ObjectMetadata>, query: Query): GcsObject {
  const object = findObject(bucket, name, query);
  checkPreconditions(object, query);
  if ('retention' in patch) {
    const isOverriding = query.get('overrideUnlockedRetention') === 'true';
    checkRetention(bucket, object.retention ?? undefined, patch.retention ?? undefined, isOverriding);
    if (patch.retention) object.retention = patch.retention;
    else delete object.retention;
  }
  for (const key of ['temporaryHold', 'eventBasedHold', 'metadata', 'contentType'] as const) {
    if (key in patch) Object.assign(object, { [key]: patch[key] });
  }
  object.metageneration++;
  object.updated = new Date().toISOString();
  return object;
}

/** What is locked is only ever made longer; what is not, may be shortened by who says so. */
function checkRetention(
  bucket: Bucket,
  before: Retention | undefined,
  after: Retention | undefined,
  isOverriding: boolean,
): void {
  if (bucket.objectRetention?.mode !== 'Enabled') {
    throw invalid('Bucket must have object retention enabled to set retention on an object.');
  }
  if (after !== undefined) {
    const untilMs = Date.parse(after.retainUntilTime);
    if (!['Unlocked', 'Locked'].includes(after.mode)) throw invalid(`Invalid retention mode: ${after.mode}`);
    if (Number.isNaN(untilMs)) throw invalid('Invalid retainUntilTime.');
    if (untilMs <= Date.now()) throw invalid('retainUntilTime must be in the future.');
  }
  if (before === undefined || Date.parse(before.retainUntilTime) <= Date.now()) return;
  const isWeaker =
    after === undefined ||
    Date.parse(after.retainUntilTime) < Date.parse(before.retainUntilTime) ||
    // Also to lock for good what was not is an override.
    before.mode !== after.mode;
  if (!isWeaker || (before.mode === 'Unlocked' && isOverriding)) return;
  throw new GcsRefusal(403, 'forbidden', 'Cannot remove, shorten or unlock an object retention without overriding it.');
}

/** Makes a soft-deleted generation live again, as one of its own. */
export function restoreObject(bucket: Bucket, name: string, query: Query): GcsObject {
  if (!query.has('generation')) throw new GcsRefusal(400, 'required', 'Required');
  const object = findObject(bucket, name, new URLSearchParams({ ...Object.fromEntries(query), softDeleted: 'true' }));
  if (object.softDeleteTime === undefined) throw invalid('Only soft-deleted objects can be restored.');
  const { content, contentType, storageClass, metadata } = object;
  return addObject(bucket, { name, storageClass, ...defined({ contentType, metadata }) }, content, {
    query: new URLSearchParams(),
  });
}

/** A copy of an object as a new one. */
export function copyObject(
  from: GcsObject,
  to: Bucket,
  metadata: Partial<ObjectMetadata> & { name: string },
  query: Query,
): GcsObject {
  const { content, contentType, storageClass } = from;
  return addObject(to, { storageClass, ...defined({ contentType }), ...metadata }, content, { query });
}

function defined<T extends object>(value: T): { [Key in keyof T]?: NonNullable<T[Key]> } {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as never;
}

export interface Page {
  objects: GcsObject[];
  prefixes: string[];
  nextPageToken?: string;
}

const LARGEST_PAGE = 1000;

/** One page of what a bucket has, by name and generation. */
export function listObjects(bucket: Bucket, query: Query): Page {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const maxResults = Number(query.get('maxResults') ?? LARGEST_PAGE);
  if (!Number.isInteger(maxResults) || maxResults < 1) throw invalid('Invalid unsigned integer value for maxResults.');
  const after = readPageToken(query.get('pageToken'));
  const isShown = ({ timeDeleted, softDeleteTime }: GcsObject) =>
    query.get('softDeleted') === 'true'
      ? softDeleteTime !== undefined
      : softDeleteTime === undefined && (timeDeleted === undefined || query.get('versions') === 'true');
  const names = [...bucket.objects.keys()].filter((name) => name.startsWith(prefix)).sort(byBytes);
  const all = names.flatMap((name) => (bucket.objects.get(name) ?? []).filter(isShown));
  const rest = all.filter(({ name, generation }) => byBytes(place(name, generation), after) > 0);
  const page = rest.slice(0, Math.min(maxResults, LARGEST_PAGE));
  const cut = ({ name }: GcsObject) => (delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length));
  const last = page.at(-1);
  return {
    objects: page.filter((object) => cut(object) < 0),
    prefixes: [
      ...new Set(page.filter((object) => cut(object) >= 0).map((object) => object.name.slice(0, cut(object) + 1))),
    ],
    ...(last !== undefined && rest.length > page.length
      ? { nextPageToken: pageToken(place(last.name, last.generation)) }
      : {}),
  };
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
const place = (name: string, generation: string): string => `${name}\0${generation.padStart(20, '0')}`;

/** A token is nobody's business but the server's. */
const TOKEN_MARK = randomBytes(4).toString('hex');
const pageToken = (text: string): string => Buffer.from(`${TOKEN_MARK}${text}`).toString('base64url');

function readPageToken(token: string | null): string {
  if (!token) return '';
  const text = Buffer.from(token, 'base64url').toString();
  if (!text.startsWith(TOKEN_MARK)) throw invalid('Invalid page token.');
  return text.slice(TOKEN_MARK.length);
}
