/** The plan as the program works with it: names resolved, defaults filled in, durations in milliseconds. */
import { parseDuration, parsePercentage, parseSize } from '../foundation/units.ts';
import { parseSchedule, type RetentionPolicy, type Schedule } from '../schedule/index.ts';
import { type Alerting, buildAlerting } from './alerts/alerts-schema.ts';
import { buildContact, type Contact } from './alerts/contact-schema.ts';
import type { ApprovedAction } from './approval-schema.ts';
import { FRAMEWORKS, type Framework } from './compliance-schema.ts';
import { buildGroup, type Group } from './group-schema.ts';
import type { EarlierVersion } from './history-schema.ts';
import { buildKit, type KitPlan } from './kit-schema.ts';
import { buildLedger, type LedgerKeeping } from './ledger-schema.ts';
import type { TextOrReference } from './reference-schema.ts';
import {
  buildReport,
  buildReviews,
  buildUpkeep,
  type PlannedReport,
  type ReviewKind,
  type Upkeep,
} from './report-schema.ts';
import { retentionPolicy } from './retention-schema.ts';
import { buildDrill, type PlannedDrill } from './runbooks/drill-schema.ts';
import type { Maintenance } from './runbooks/maintenance-schema.ts';
import { buildRunbook, type Runbook } from './runbooks/runbook-schema.ts';
import { buildSandbox, type Sandbox } from './sandboxes.ts';
import type { PlanDocument, RepositoryDocument } from './schema.ts';
import { buildService, type Service } from './service-schema.ts';
import { baseOf, buildObjectives, type Objectives } from './sources/common.ts';
import { buildSource, type Source } from './sources/index.ts';
import { isOfflineClass } from './store-schema.ts';
import { buildVerification, type Verification } from './verification-schema.ts';

/** What a repository and a mirror have alike: where their objects lie, and what that may bear. */
export interface StorePlan {
  name: string;
  /** What it is, for people. */
  description?: string;
  /** As written, unless a reference. `storePlace` tells where it is. */
  store: TextOrReference;
  /** Of a store at s3://. */
  s3: S3Options;
  /** Of a store at gs://. */
  gcs?: GcsOptions;
  capacity?: Capacity;
  lock?: LockPolicy;
  /** Bytes a second. */
  limits?: { upload?: number; download?: number };
  /** In the currency of whoever wrote them; what is left out has a default. */
  prices?: { writes?: number; reads?: number; download?: number };
}

export interface Repository extends StorePlan {
  password: TextOrReference;
  /** Only of an archive: no source is kept there but by copies. */
  archive?: Archive;
}

/** What is copied to an archive, from where and when, and how long it stays. */
export interface Archive {
  /** The name of the repository that the sources are kept in. */
  from: string;
  /** At least one. */
  sources: string[];
  /** Without one, it is copied by hand alone. */
  schedule?: Schedule;
  /** Without one, everything is kept. */
  retention?: RetentionPolicy;
  /** Whether the content of its snapshots must be asked for, hours before it can be read. */
  isOffline: boolean;
}

/** An exact copy of a repository: what opens that opens this. */
export interface Mirror extends StorePlan {
  /** The name of the repository that it is a copy of. */
  of: string;
}

export interface S3Options {
  region?: TextOrReference;
  endpoint?: TextOrReference;
  pathStyle: boolean;
  storageClass?: string;
  serverSideEncryption?: 'AES256' | 'aws:kms';
  kmsKeyId?: TextOrReference;
}

export interface GcsOptions {
  endpoint?: TextOrReference;
  project?: TextOrReference;
  location?: TextOrReference;
  userProject?: TextOrReference;
  kmsKeyName?: TextOrReference;
  storageClass?: string;
}

/** How much a repository may take. */
export interface Capacity {
  ofBytes: number;
  /** From which share of it on there is a warning: more than 0, at most 1. */
  warnAt: number;
}

/** That objects are locked: by whom it can be lifted, and for how long each time. */
export interface LockPolicy {
  mode: 'governance' | 'compliance';
  forMs: number;
}

/** A PostgreSQL server that follows the server of a source. */
export interface PlannedStandby {
  name: string;
  /** The source. */
  of: string;
  url: TextOrReference;
}

export interface Plan {
  version: 1;
  name: string;
  /** What it is the plan of, for people. */
  description?: string;
  timezone: string;
  /** The plan's own; each source has its effective ones. */
  objectives: Objectives;
  /** By name, in the order of the file, archives behind the others: what goes on in all of them needs those first. Mirrors are not among them. */
  repositories: ReadonlyMap<string, Repository>;
  /** By name, in the order of the file. */
  mirrors: ReadonlyMap<string, Mirror>;
  /** By name, in the order of the file. */
  sources: ReadonlyMap<string, Source>;
  standbys: ReadonlyMap<string, PlannedStandby>;
  /** By name, in the order of the file. */
  sandboxes: ReadonlyMap<string, Sandbox>;
  groups: ReadonlyMap<string, Group>;
  verifications: Verification[];
  /** By name, in the order of the file. */
  contacts: ReadonlyMap<string, Contact>;
  alerts: Alerting;
  services: ReadonlyMap<string, Service>;
  maintenance?: Maintenance;
  /** By name, in the order of the file. */
  runbooks: ReadonlyMap<string, Runbook>;
  drills: PlannedDrill[];
  reports: PlannedReport[];
  /** When each review is due. */
  reviews: ReadonlyMap<ReviewKind, Schedule>;
  upkeep: Upkeep;
  approvals: {
    /** What one person alone may not do. */
    twoPersons: readonly ApprovedAction[];
  };
  ledger: LedgerKeeping;
  /** The standards that it is held against, each once; all that there are, where it names none. */
  frameworks: readonly Framework[];
  kit: KitPlan;
  /** Versions of the playbook from before it was a plan, as they are written. */
  history: readonly EarlierVersion[];
  /** The plan's directory, absolute: what relative paths are relative to. */
  directory: string;
}

/** The plan that a checked document describes. */
export function buildPlan(document: PlanDocument, directory: string): Plan {
  const homes = new Map<string, Repository>();
  const archives = new Map<string, Repository>();
  const mirrors = new Map<string, Mirror>();
  for (const [name, repository] of Object.entries(document.repositories)) {
    const { password, mirrorOf } = repository;
    const planned = buildStore(name, repository);
    if (mirrorOf !== undefined) mirrors.set(name, { ...planned, of: mirrorOf });
    else if (repository.copies === undefined) homes.set(name, { ...planned, password: password! });
    else archives.set(name, { ...planned, password: password!, archive: buildArchive(repository, repository.copies) });
  }
  const sources = Object.entries(document.sources).map(([name, source]): [string, Source] => [
    name,
    buildSource(
      source,
      {
        ...baseOf(name, source, document.objectives),
        repository: source.repository ?? homeRepository(document) ?? '',
      },
      document,
    ),
  ]);
  return {
    version: document.version,
    name: document.name,
    ...(document.description !== undefined && { description: document.description }),
    timezone: document.timezone,
    objectives: buildObjectives(document.objectives),
    repositories: new Map([...homes, ...archives]),
    mirrors,
    sources: new Map(sources),
    standbys: new Map(Object.entries(document.standbys ?? {}).map(([name, each]) => [name, { name, ...each }])),
    sandboxes: new Map(
      Object.entries(document.sandboxes ?? {}).map(([name, each]) => [name, buildSandbox(name, each)]),
    ),
    groups: new Map(Object.entries(document.groups ?? {}).map(([name, each]) => [name, buildGroup(name, each)])),
    verifications: document.verification.map((each) => buildVerification(each, Object.keys(document.sources))),
    contacts: new Map(Object.entries(document.contacts ?? {}).map(([id, each]) => [id, buildContact(id, each)])),
    alerts: buildAlerting(document.alerts),
    services: new Map(Object.entries(document.services ?? {}).map(([name, each]) => [name, buildService(name, each)])),
    ...(document.maintenance !== undefined && { maintenance: document.maintenance }),
    runbooks: new Map(
      Object.entries(document.runbooks).map(([name, each]) => [name, buildRunbook(name, each, document.objectives)]),
    ),
    drills: document.drills.map((each, index) => buildDrill(each, index, Object.keys(document.runbooks))),
    reports: document.reports.map(buildReport),
    reviews: buildReviews(document.reviews),
    upkeep: buildUpkeep(document.upkeep),
    approvals: { twoPersons: [...new Set(document.approvals.twoPersons)] },
    ledger: buildLedger(document.ledger),
    frameworks: [...new Set(document.compliance?.frameworks ?? FRAMEWORKS)],
    kit: buildKit(document.kit),
    history: document.history,
    directory,
  };
}

function buildStore(name: string, document: RepositoryDocument): StorePlan {
  const { store, description, gcs, storageClass, capacity, limits, lock, prices } = document;
  return {
    ...{ name, store, s3: buildS3(document) },
    ...(description !== undefined && { description }),
    ...((gcs ?? storageClass) && { gcs: definedOf({ ...gcs, storageClass }) }),
    ...(capacity && { capacity: { ofBytes: parseSize(capacity.of)!, warnAt: parsePercentage(capacity.warnAt)! } }),
    ...(lock && { lock: { mode: lock.mode, forMs: parseDuration(lock.for)! } }),
    ...(limits && { limits: buildLimits(limits) }),
    ...(prices && { prices: definedOf(prices) }),
  };
}

function buildArchive(
  { retention, storageClass }: RepositoryDocument,
  { from, sources, schedule }: NonNullable<RepositoryDocument['copies']>,
): Archive {
  const parsed = schedule === undefined ? undefined : parseSchedule(schedule);
  return {
    ...{ from, sources, isOffline: isOfflineClass(storageClass) },
    ...(parsed !== undefined && 'schedule' in parsed && { schedule: parsed.schedule }),
    ...(retention !== undefined && { retention: retentionPolicy(retention) }),
  };
}

function buildS3({ s3 = {}, storageClass }: RepositoryDocument): S3Options {
  const pathStyle = s3.pathStyle ?? s3.endpoint !== undefined;
  return definedOf({ ...s3, pathStyle, storageClass });
}

function buildLimits({ upload, download }: NonNullable<RepositoryDocument['limits']>): StorePlan['limits'] & object {
  return {
    ...(upload !== undefined && { upload: parseSize(upload)! }),
    ...(download !== undefined && { download: parseSize(download)! }),
  };
}

/** Without the keys whose value is undefined. */
function definedOf<T extends object>(value: { [Key in keyof T]: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as T;
}

/** The repository that sources are kept in which name none: mirrors and archives are nobody's home. */
export function homeRepository({ repositories }: PlanDocument): string | undefined {
  return Object.entries(repositories).find(([, { mirrorOf, copies }]) => (mirrorOf ?? copies) === undefined)?.[0];
}
