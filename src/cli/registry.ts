import type { CommandDefinition } from './command.ts';
import { backup } from './commands/backup.ts';
import { check } from './commands/check.ts';
import { compare } from './commands/compare.ts';
import { copy } from './commands/copy.ts';
import { demo } from './commands/demo.ts';
import { diff } from './commands/diff.ts';
import { doctor } from './commands/doctor.ts';
import { follow } from './commands/follow.ts';
import { history } from './commands/history.ts';
import { init } from './commands/init.ts';
import { keyAdd } from './commands/key-add.ts';
import { keyList } from './commands/key-list.ts';
import { keyPasswd } from './commands/key-passwd.ts';
import { keyRemove } from './commands/key-remove.ts';
import { ls } from './commands/ls.ts';
import { planCheck } from './commands/plan-check.ts';
import { planSchema } from './commands/plan-schema.ts';
import { planShow } from './commands/plan-show.ts';
import { prune } from './commands/prune.ts';
import { repair } from './commands/repair.ts';
import { replicate } from './commands/replicate.ts';
import { repositoryPromote } from './commands/repository-promote.ts';
import { restore } from './commands/restore.ts';
import { retain } from './commands/retain.ts';
import { snapshots } from './commands/snapshots.ts';
import { status } from './commands/status.ts';
import { unlock } from './commands/unlock.ts';
import { verify } from './commands/verify.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandDefinition[] = [
  planCheck,
  planShow,
  planSchema,
  init,
  doctor,
  backup,
  follow,
  snapshots,
  ls,
  diff,
  history,
  restore,
  verify,
  compare,
  copy,
  check,
  retain,
  prune,
  repair,
  replicate,
  repositoryPromote,
  unlock,
  keyList,
  keyAdd,
  keyRemove,
  keyPasswd,
  status,
  demo,
];

/** What the first word of commands of two words is about. */
export const GROUPS: Readonly<Record<string, string>> = {
  plan: 'the plan',
  key: 'the passwords of repositories',
  repository: 'the copies of a repository',
};
