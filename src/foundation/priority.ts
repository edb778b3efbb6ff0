import { constants, getPriority, setPriority } from 'node:os';

/**
 * Lets others on this machine go first where the processors do not suffice for all: a backup has time, and who works with
 * what is backed up has not. Threads and processes that are started from then on go by it, too; nothing takes it back.
 */
export function letOthersGoFirst(): void {
  const { PRIORITY_BELOW_NORMAL } = constants.priority;
  if (getPriority() < PRIORITY_BELOW_NORMAL) setPriority(PRIORITY_BELOW_NORMAL);
}
