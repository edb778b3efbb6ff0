/** A plan as a document that people would have written. Pure. */
import type { Document } from '../../report/index.ts';
import { afterwards } from './chapters/afterwards.ts';
import { appendix } from './chapters/appendix.ts';
import { backups } from './chapters/backups.ts';
import { backupCommands, restoreProcedures } from './chapters/commands.ts';
import { compliance } from './chapters/compliance.ts';
import { contacts } from './chapters/contacts.ts';
import { improvement } from './chapters/improvement.ts';
import { monitoring } from './chapters/monitoring.ts';
import { objectives } from './chapters/objectives.ts';
import { firstPage, overview } from './chapters/overview.ts';
import { revisions } from './chapters/revisions.ts';
import { scenarios } from './chapters/scenarios.ts';
import { testing } from './chapters/testing.ts';
import type { Playbook } from './playbook.ts';
import { day } from './words.ts';

const CHAPTERS = [
  ...[overview, objectives, backups, backupCommands, restoreProcedures, scenarios, testing, monitoring],
  ...[contacts, afterwards, improvement, compliance, revisions, appendix],
];

export function playbookDocument(playbook: Playbook): Document {
  return {
    title: `Disaster recovery plan of ${playbook.facts.plan.name}, ${day(playbook.madeAt)}`,
    blocks: [...firstPage(playbook), { kind: 'contents' }, ...CHAPTERS.flatMap((write) => write(playbook))],
  };
}
