import { z } from '@hono/zod-openapi';
import { status } from '../../../operations/index.ts';
import { operation } from '../operation.ts';
import { errorDocument, failure, snapshotAt, time } from '../schemas.ts';

const objectives = z.object({
  rpoMs: z.number().optional(),
  rtoMs: z.number().optional(),
  proofMs: z.number().optional(),
});
const proof = z.enum(['stored', 'checked', 'proven', 'failed', 'not-provable']);

const sourceStatus = z
  .object({
    source: z.string(),
    type: z.string(),
    repository: z.string(),
    snapshots: z.int(),
    last: z.object({ snapshot: z.string(), time, outcome: z.enum(['complete', 'partial']), proof }).optional(),
    failure: failure.optional().openapi({ description: 'The last attempt, when it failed after the newest snapshot.' }),
    lost: snapshotAt.optional().openapi({ description: 'The newest backup, where its snapshot is gone unexplained.' }),
    proven: snapshotAt.extend({ provenAt: time }).optional(),
    provenMoment: snapshotAt.extend({ provenAt: time }).optional(),
    unprovenMoment: z
      .object({ state: proof, snapshot: z.string(), target: z.string(), time: time.optional(), triedAt: time })
      .optional(),
    objectives,
    ahead: time.optional(),
    actual: z.object({
      rpoMs: z.number().optional(),
      provenRpoMs: z.number().optional(),
      rtoMs: z.number().optional(),
    }),
    log: z
      .object({
        from: z.string().optional(),
        time: time.optional(),
        timeline: z.int().optional(),
        lsn: z.string().optional(),
        gaps: z.array(z.object({ timeline: z.int(), start: z.string(), end: z.string() })),
        stall: z
          .union([z.object({ since: time }), z.object({ ahead: time })])
          .optional()
          .openapi({ description: 'Nothing more came since then; or a clock was wrong, and nobody can tell.' }),
      })
      .optional(),
    missed: z.array(z.enum(['rpo', 'rto', 'proof'])),
  })
  .openapi('SourceStatus');

const mirrorStatus = z.object({
  mirror: z.string(),
  of: z.string(),
  lag: z.object({ snapshots: z.int(), logParts: z.int(), lagMs: z.number() }).optional(),
  mirroredAt: time.optional(),
  failure: failure.optional(),
  error: errorDocument.optional(),
});

const archiveStatus = z.object({
  archive: z.string(),
  from: z.string(),
  sources: z.array(
    z.object({
      source: z.string(),
      snapshots: z.int(),
      newest: snapshotAt.optional(),
      archivedAt: time.optional(),
      due: time.optional(),
      isOverdue: z.boolean(),
      failure: failure.optional(),
    }),
  ),
  failure: failure.optional(),
  error: errorDocument.optional(),
});

const growth = {
  usedBytes: z.number(),
  growthPerDayBytes: z.number().optional(),
  atEndOfRetentionBytes: z.number().optional(),
};

const capacity = z.object({
  ...growth,
  repository: z.string(),
  ofBytes: z.number(),
  warnAt: z.number(),
  isReached: z.boolean(),
  fullAt: time.optional(),
  sources: z.array(z.object({ source: z.string(), ...growth })),
});

const drillTimes = z.object({
  runbook: z.string(),
  promisedMs: z.number().optional(),
  drills: z.array(
    z.object({
      drill: z.string(),
      time,
      outcome: z.string(),
      rtoMs: z.number().optional(),
      rpoMs: z.number().optional(),
    }),
  ),
  medianMs: z.number().optional(),
  maxMs: z.number().optional(),
  isMissed: z.boolean(),
});

export const getStatus = operation({
  id: 'getStatus',
  method: 'get',
  path: '/status',
  summary: 'every source: last backup, last proof, RPO and RTO, promised and actual',
  result: z
    .object({
      sources: z.array(sourceStatus),
      runbooks: z.array(drillTimes),
      mirrors: z.array(mirrorStatus),
      forecasts: z.array(z.object({ source: z.string(), forecast: z.looseObject({ state: z.string().optional() }) })),
      archives: z.array(archiveStatus),
      healed: z.array(
        z.object({
          repository: z.string(),
          objects: z.int(),
          last: z.object({ time, object: z.string(), from: z.string(), reason: z.string() }),
        }),
      ),
      damaged: z.array(z.object({ code: z.string(), message: z.string() })),
      capacity: z.array(capacity),
      hidden: z.array(z.object({ repository: z.string(), objects: z.array(z.string()) })),
      unsigned: z.array(z.string()),
      unseen: z.array(z.string()),
    })
    .openapi('Status'),
  run: async (_, { daemon }) => {
    const { damaged, ...found } = await status(daemon.workspace());
    return { ...found, damaged: damaged.map(({ code, message }) => ({ code, message })) };
  },
});
