import type { CommandDefinition } from './command.ts';
import { backup } from './commands/backup.ts';
import { check } from './commands/check.ts';
import { demo } from './commands/demo.ts';
import { init } from './commands/init.ts';
import { ls } from './commands/ls.ts';
import { planCheck } from './commands/plan-check.ts';
import { planSchema } from './commands/plan-schema.ts';
import { planShow } from './commands/plan-show.ts';
import { prune } from './commands/prune.ts';
import { restore } from './commands/restore.ts';
import { retain } from './commands/retain.ts';
import { snapshots } from './commands/snapshots.ts';
import { status } from './commands/status.ts';
import { verify } from './commands/verify.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandDefinition[] = [
  planCheck,
  planShow,
  planSchema,
  init,
  backup,
  snapshots,
  ls,
  restore,
  verify,
  check,
  retain,
  prune,
  status,
  demo,
];

/** What the first word of commands of two words is about. */
export const GROUPS: Readonly<Record<string, string>> = { plan: 'the plan' };
