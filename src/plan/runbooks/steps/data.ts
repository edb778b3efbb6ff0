/** Steps that work on recovery points: what `holdfast compare`, `restore`, `verify` and `backup` do. */
import { z } from 'zod';
import { filled, identifier } from '../../values.ts';
import { filledIn, names, stepSchema, template, urlPassword } from './common.ts';

export const CHOICES = ['latest', 'latest-proven', 'latest-clean', 'at'] as const;
/** Which recovery point: `latest-clean` is from before the incident, proven and not suspect. */
export type Choice = (typeof CHOICES)[number];

const source = identifier.meta({ description: 'The source.' });
const at = template('a time', 'The moment: RFC 3339, `2h ago`, `latest`, or `${point.time}`.');
const only = z
  .array(template('a pattern', 'As `holdfast restore --only` takes it.'), { error: () => 'a list of patterns' })
  .min(1, { error: () => 'at least one pattern' })
  .meta({ description: 'Only these files, schemas, tables, collections or documents.' });

export const data = [
  stepSchema('compare', 'Compares the living, or another place, with a recovery point.', {
    source,
    at: at.optional(),
    with: filledIn('a target', 'What is compared; the living source when left out.').optional(),
    password: urlPassword.optional(),
  }),
  stepSchema('recovery-point', 'Chooses a recovery point, and says why.', {
    source: source.optional(),
    group: identifier.meta({ description: 'A group: one moment for all of its sources.' }).optional(),
    choose: z
      .enum(CHOICES, { error: () => `one of ${CHOICES.join(', ')}` })
      .default('latest-proven')
      .meta({ description: 'Which: `latest-clean` is from before the incident, proven and not suspect.' }),
    before: template('a time', 'Not after this moment, such as `${incident.since}`.').optional(),
    at: at.optional(),
  }),
  stepSchema('restore', 'Restores a source or a group.', {
    source: source.optional(),
    group: identifier.meta({ description: 'A group: all of its sources, to one moment.' }).optional(),
    at: at.optional(),
    snapshot: template('an id', 'A snapshot, such as `${point.snapshot}`.').optional(),
    to: filledIn('a target', 'A directory, a database URL, or a Firestore database.'),
    password: urlPassword.optional(),
    targets: z
      .record(identifier, filledIn('a target', 'Where this source goes.'), { error: () => 'targets by source' })
      .meta({ description: 'Of a group: where single sources go instead.' })
      .optional(),
    only: only.optional(),
    as: template('a name', 'Another name for the one table or schema that `only` names.').optional(),
    create: z
      .boolean({ error: () => 'true or false' })
      .meta({ description: 'Of Firestore: makes the database if there is none.' })
      .optional(),
    diff: z
      .boolean({ error: () => 'true or false' })
      .meta({ description: 'Of Firestore: writes what is missing or differs, and removes nothing.' })
      .optional(),
    replace: z
      .boolean({ error: () => 'true or false' })
      .meta({ description: 'Makes a target that is not empty what the recovery point is; needs `confirm`.' })
      .optional(),
    confirm: filled('a name', 'With `replace` or `diff`: the name of the target.').optional(),
    repository: identifier.meta({ description: 'Reads from this repository, mirror or archive.' }).optional(),
  }),
  stepSchema('verify', 'Validates what was restored, or the living, against the recovery point.', {
    sources: names('sources', 'What is validated.'),
    against: filledIn(
      'a target or a standby',
      'What is looked at: `${restore.target}`, a target, or the name of a standby; a restore into a sandbox when left out.',
    ).optional(),
    password: urlPassword.optional(),
    at: at.optional(),
  }),
  stepSchema('backup', 'Takes a backup.', {
    sources: names('sources', 'What is backed up.'),
    prove: z
      .boolean({ error: () => 'true or false' })
      .default(false)
      .meta({ description: 'Restores it into a sandbox and validates it as well.' }),
  }),
] as const;
