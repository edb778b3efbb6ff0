import type { CommandDefinition } from './command.ts';
import { alertAck } from './commands/alert-ack.ts';
import { alertList } from './commands/alert-list.ts';
import { alertMute } from './commands/alert-mute.ts';
import { alertTest } from './commands/alert-test.ts';
import { approveCommand } from './commands/approve.ts';
import { backup } from './commands/backup.ts';
import { check } from './commands/check.ts';
import { compare } from './commands/compare.ts';
import { copy } from './commands/copy.ts';
import { demo } from './commands/demo.ts';
import { diff } from './commands/diff.ts';
import { doctor } from './commands/doctor.ts';
import { drill } from './commands/drill.ts';
import { evidenceExport } from './commands/evidence-export.ts';
import { evidenceKeys } from './commands/evidence-keys.ts';
import { evidenceRevoke } from './commands/evidence-revoke.ts';
import { evidenceRotate } from './commands/evidence-rotate.ts';
import { follow } from './commands/follow.ts';
import { history } from './commands/history.ts';
import { hold } from './commands/hold.ts';
import { incidentAbort } from './commands/incident-abort.ts';
import { incidentAck } from './commands/incident-ack.ts';
import { incidentAnswer } from './commands/incident-answer.ts';
import { incidentApprove } from './commands/incident-approve.ts';
import { incidentBreach } from './commands/incident-breach.ts';
import { incidentDone } from './commands/incident-done.ts';
import { incidentList } from './commands/incident-list.ts';
import { incidentNote } from './commands/incident-note.ts';
import { incidentResume } from './commands/incident-resume.ts';
import { incidentShow } from './commands/incident-show.ts';
import { init } from './commands/init.ts';
import { keyAdd } from './commands/key-add.ts';
import { keyList } from './commands/key-list.ts';
import { keyPasswd } from './commands/key-passwd.ts';
import { keyRemove } from './commands/key-remove.ts';
import { kit } from './commands/kit.ts';
import { kitCheck } from './commands/kit-check.ts';
import { kitOpen } from './commands/kit-open.ts';
import { ledgerCheckpoint } from './commands/ledger-checkpoint.ts';
import { ledgerExport } from './commands/ledger-export.ts';
import { ledgerLog } from './commands/ledger-log.ts';
import { ledgerVerify } from './commands/ledger-verify.ts';
import { ls } from './commands/ls.ts';
import { objectives } from './commands/objectives.ts';
import { planApply } from './commands/plan-apply.ts';
import { planCheck } from './commands/plan-check.ts';
import { planDiff } from './commands/plan-diff.ts';
import { planSchema } from './commands/plan-schema.ts';
import { planShow } from './commands/plan-show.ts';
import { prune } from './commands/prune.ts';
import { recover } from './commands/recover.ts';
import { repair } from './commands/repair.ts';
import { replicate } from './commands/replicate.ts';
import { reportCompliance } from './commands/report-compliance.ts';
import { reportIncident } from './commands/report-incident.ts';
import { reportMetrics } from './commands/report-metrics.ts';
import { reportPlaybook } from './commands/report-playbook.ts';
import { reportVerification } from './commands/report-verification.ts';
import { reportVerify } from './commands/report-verify.ts';
import { repositoryPromote } from './commands/repository-promote.ts';
import { rescue } from './commands/rescue.ts';
import { restore } from './commands/restore.ts';
import { retain } from './commands/retain.ts';
import { reviewAgenda } from './commands/review-agenda.ts';
import { reviewList } from './commands/review-list.ts';
import { reviewRecord } from './commands/review-record.ts';
import { schedule } from './commands/schedule.ts';
import { serve } from './commands/serve.ts';
import { services } from './commands/services.ts';
import { snapshots } from './commands/snapshots.ts';
import { status } from './commands/status.ts';
import { suspect } from './commands/suspect.ts';
import { tokenAdd } from './commands/token-add.ts';
import { tokenList } from './commands/token-list.ts';
import { tokenRevoke } from './commands/token-revoke.ts';
import { unhold } from './commands/unhold.ts';
import { unlock } from './commands/unlock.ts';
import { unsuspect } from './commands/unsuspect.ts';
import { verify } from './commands/verify.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandDefinition[] = [
  planCheck,
  planShow,
  planSchema,
  planDiff,
  planApply,
  init,
  doctor,
  backup,
  follow,
  snapshots,
  hold,
  unhold,
  suspect,
  unsuspect,
  ls,
  diff,
  history,
  restore,
  verify,
  drill,
  recover,
  incidentList,
  incidentShow,
  incidentApprove,
  incidentDone,
  incidentAnswer,
  incidentNote,
  incidentAck,
  incidentBreach,
  incidentResume,
  incidentAbort,
  compare,
  copy,
  check,
  retain,
  prune,
  repair,
  replicate,
  repositoryPromote,
  unlock,
  approveCommand,
  keyList,
  keyAdd,
  keyRemove,
  keyPasswd,
  kit,
  kitCheck,
  kitOpen,
  rescue,
  reviewAgenda,
  reviewRecord,
  reviewList,
  tokenAdd,
  tokenList,
  tokenRevoke,
  ledgerLog,
  ledgerVerify,
  ledgerExport,
  ledgerCheckpoint,
  status,
  alertList,
  alertAck,
  alertMute,
  alertTest,
  objectives,
  services,
  reportIncident,
  reportMetrics,
  reportPlaybook,
  reportVerification,
  reportCompliance,
  reportVerify,
  evidenceExport,
  evidenceKeys,
  evidenceRotate,
  evidenceRevoke,
  schedule,
  serve,
  demo,
];

/** What the first word of commands of two words is about. */
export const GROUPS: Readonly<Record<string, string>> = {
  plan: 'the plan',
  alert: 'what is wrong, and who is told',
  incident: 'a recovery under way, or past',
  ledger: 'the audit trail',
  key: 'the passwords of repositories',
  review: 'what people look at from time to time',
  token: 'who may use the API',
  repository: 'the copies of a repository',
  report: 'what is written for people to keep',
  evidence: 'what others can check without Holdfast, and the keys that sign it',
};
