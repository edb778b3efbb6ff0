/**
 * The plan's schema: the one definition from which the loader's checks, the types, the defaults that are filled in and
 * the JSON Schema come. It describes what an author writes; `view.ts` turns that into what the program works with.
 */
import { z } from 'zod';
import { isTimezone } from '../schedule/index.ts';
import { alerts } from './alerts/alerts-schema.ts';
import { contact } from './alerts/contact-schema.ts';
import { approvals } from './approval-schema.ts';
import { copies } from './archive-schema.ts';
import { compliance } from './compliance-schema.ts';
import { group } from './group-schema.ts';
import { history } from './history-schema.ts';
import { kit } from './kit-schema.ts';
import { ledger } from './ledger-schema.ts';
import { nearestName } from './names.ts';
import { REFERENCE_NOTATION, reference, type TextOrReference, textOrReference } from './reference-schema.ts';
import { report, reviews, upkeep } from './report-schema.ts';
import { retention } from './retention-schema.ts';
import { drill } from './runbooks/drill-schema.ts';
import { maintenance } from './runbooks/maintenance-schema.ts';
import { runbook } from './runbooks/runbook-schema.ts';
import { sandbox } from './sandboxes.ts';
import { service } from './service-schema.ts';
import { objectives } from './sources/common.ts';
import { source } from './sources/index.ts';
import { standby } from './sources/postgres.ts';
import { parseStore, STORE_NOTATION } from './store.ts';
import { capacity, gcs, limits, lock, prices, s3, storageClass } from './store-schema.ts';
import { type Complaint, description, identifier, text } from './values.ts';
import { verification } from './verification-schema.ts';

const repository = z
  .strictObject({
    store: textOrReference(
      text(
        STORE_NOTATION,
        'Where the objects lie: a path (relative to the plan), a file:// URL, s3://bucket/prefix or gs://bucket/prefix.',
        (value) => {
          const place = parseStore(value, '/');
          return 'problem' in place ? { message: place.problem } : undefined;
        },
      ),
    ),
    description: description.optional(),
    password: reference
      .meta({
        description:
          'The password of the repository, as a reference: { env: NAME }, { file: PATH }, { command: [..] } or { gcp: projects/…/secrets/…/versions/latest }. A mirror has that of its primary.',
      })
      .optional(),
    mirrorOf: identifier
      .meta({ description: 'The repository that this one is an exact copy of, brought up to date after every backup.' })
      .optional(),
    copies: copies.optional(),
    retention: retention
      .meta({ description: 'Which snapshots an archive keeps, of each source. Without it, all are.' })
      .optional(),
    s3: s3.optional(),
    gcs: gcs.optional(),
    storageClass: storageClass.optional(),
    lock: lock.optional(),
    capacity: capacity.optional(),
    limits: limits.optional(),
    prices: prices.optional(),
  })
  .superRefine(({ password, mirrorOf, store, lock: locked }, context) => {
    const complain = (key: string, message: string) =>
      context.addIssue({ code: 'custom', path: [key], message, params: { message } });
    if (mirrorOf === undefined && password === undefined) complain('password', REFERENCE_NOTATION);
    if (mirrorOf !== undefined && password !== undefined) {
      complain('password', `a mirror has the password of its primary; that of "${mirrorOf}" opens it`);
    }
    if (locked !== undefined && isDirectory(store)) {
      complain('lock', 'a directory cannot lock what lies in it: who may write there may remove; expected a bucket');
    }
  })
  .meta({
    description: 'An encrypted, deduplicated restic repository.',
    oneOf: [
      { type: 'object', properties: { mirrorOf: false }, required: ['password'] },
      { type: 'object', properties: { password: false }, required: ['mirrorOf'] },
    ],
  });

function isDirectory(store: TextOrReference): boolean {
  const place = typeof store === 'string' ? parseStore(store, '/') : undefined;
  return place !== undefined && 'kind' in place && place.kind === 'local';
}

function judgeTimezone(value: string): Complaint | undefined {
  if (isTimezone(value)) return undefined;
  const nearest = nearestName(value, Intl.supportedValuesOf('timeZone'));
  return nearest === undefined ? {} : { nearest };
}

export const planSchema = z
  .strictObject({
    version: z.literal(1, { error: () => '1' }).meta({ description: 'The version of the format of this file.' }),
    name: identifier.meta({ description: 'The name of what is protected; snapshots carry it as their host.' }),
    description: description.optional(),
    timezone: text(
      'the name of a time zone such as UTC or Europe/Berlin',
      'The time zone that schedules are read in.',
      judgeTimezone,
    ).default('UTC'),
    objectives: objectives.default({}),
    repositories: z
      .record(identifier, repository, { error: () => 'repositories by name' })
      .meta({ description: 'Where backups are kept, by name.' }),
    sources: z
      .record(identifier, source, { error: () => 'sources by name' })
      .meta({ description: 'What is protected, by name.' }),
    standbys: z
      .record(identifier, standby, { error: () => 'standbys by name' })
      .meta({ description: 'Servers that follow those of the sources, by name.' })
      .optional(),
    sandboxes: z
      .record(identifier, sandbox, { error: () => 'sandboxes by name' })
      .meta({ description: 'Where recovery points are proven, by name.' })
      .optional(),
    groups: z
      .record(identifier, group, { error: () => 'groups by name' })
      .meta({ description: 'Sources that belong together, by name.' })
      .optional(),
    verification: z
      .array(verification, { error: () => 'a list of verifications' })
      .default([])
      .meta({ description: 'What is proven by itself, and when.' }),
    contacts: z
      .record(identifier, contact, { error: () => 'contacts by name' })
      .meta({ description: 'Who is to be reached, by name.' })
      .optional(),
    alerts: alerts.prefault({}),
    services: z
      .record(identifier, service, { error: () => 'services by name' })
      .meta({ description: 'What people use, by name, and what "up" means for it.' })
      .optional(),
    maintenance: maintenance.optional(),
    runbooks: z
      .record(identifier, runbook, { error: () => 'runbooks by name' })
      .default({})
      .meta({ description: 'How scenarios are recovered from, by name.' }),
    drills: z
      .array(drill, { error: () => 'a list of drills' })
      .default([])
      .meta({ description: 'Which runbooks are run on copies, and when.' }),
    reports: z
      .array(report, { error: () => 'a list of reports' })
      .default([])
      .meta({ description: 'What is reported by itself, and when.' }),
    reviews: reviews.default({}),
    upkeep: upkeep.prefault({}),
    approvals: approvals.prefault({}),
    ledger: ledger.default({}),
    compliance: compliance.optional(),
    kit: kit.prefault({}),
    history,
  })
  .meta({
    title: 'Holdfast plan',
    description: 'What must survive, how much may be lost, and how fast it must be back.',
  });

/** A plan as its author writes it. */
export type PlanInput = z.input<typeof planSchema>;
/** A plan as written, with the defaults of single keys filled in. */
export type PlanDocument = z.output<typeof planSchema>;
export type RepositoryDocument = z.output<typeof repository>;
