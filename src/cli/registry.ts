import type { CommandDefinition } from './command.ts';

/** Every command by its name, in the order of the help. To load all of them takes longer than most commands do. */
const COMMANDS: Readonly<Record<string, () => Promise<CommandDefinition>>> = {
  'plan check': async () => (await import('./commands/plan-check.ts')).planCheck,
  'plan show': async () => (await import('./commands/plan-show.ts')).planShow,
  'plan schema': async () => (await import('./commands/plan-schema.ts')).planSchema,
  'plan diff': async () => (await import('./commands/plan-diff.ts')).planDiff,
  'plan apply': async () => (await import('./commands/plan-apply.ts')).planApply,
  init: async () => (await import('./commands/init.ts')).init,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
  backup: async () => (await import('./commands/backup.ts')).backup,
  follow: async () => (await import('./commands/follow.ts')).follow,
  snapshots: async () => (await import('./commands/snapshots.ts')).snapshots,
  hold: async () => (await import('./commands/hold.ts')).hold,
  unhold: async () => (await import('./commands/unhold.ts')).unhold,
  suspect: async () => (await import('./commands/suspect.ts')).suspect,
  unsuspect: async () => (await import('./commands/unsuspect.ts')).unsuspect,
  ls: async () => (await import('./commands/ls.ts')).ls,
  diff: async () => (await import('./commands/diff.ts')).diff,
  history: async () => (await import('./commands/history.ts')).history,
  restore: async () => (await import('./commands/restore.ts')).restore,
  verify: async () => (await import('./commands/verify.ts')).verify,
  drill: async () => (await import('./commands/drill.ts')).drill,
  recover: async () => (await import('./commands/recover.ts')).recover,
  'incident list': async () => (await import('./commands/incident-list.ts')).incidentList,
  'incident show': async () => (await import('./commands/incident-show.ts')).incidentShow,
  'incident approve': async () => (await import('./commands/incident-approve.ts')).incidentApprove,
  'incident done': async () => (await import('./commands/incident-done.ts')).incidentDone,
  'incident answer': async () => (await import('./commands/incident-answer.ts')).incidentAnswer,
  'incident note': async () => (await import('./commands/incident-note.ts')).incidentNote,
  'incident ack': async () => (await import('./commands/incident-ack.ts')).incidentAck,
  'incident breach': async () => (await import('./commands/incident-breach.ts')).incidentBreach,
  'incident resume': async () => (await import('./commands/incident-resume.ts')).incidentResume,
  'incident abort': async () => (await import('./commands/incident-abort.ts')).incidentAbort,
  compare: async () => (await import('./commands/compare.ts')).compare,
  copy: async () => (await import('./commands/copy.ts')).copy,
  check: async () => (await import('./commands/check.ts')).check,
  retain: async () => (await import('./commands/retain.ts')).retain,
  prune: async () => (await import('./commands/prune.ts')).prune,
  repair: async () => (await import('./commands/repair.ts')).repair,
  replicate: async () => (await import('./commands/replicate.ts')).replicate,
  'repository promote': async () => (await import('./commands/repository-promote.ts')).repositoryPromote,
  unlock: async () => (await import('./commands/unlock.ts')).unlock,
  approve: async () => (await import('./commands/approve.ts')).approveCommand,
  'key list': async () => (await import('./commands/key-list.ts')).keyList,
  'key add': async () => (await import('./commands/key-add.ts')).keyAdd,
  'key remove': async () => (await import('./commands/key-remove.ts')).keyRemove,
  'key passwd': async () => (await import('./commands/key-passwd.ts')).keyPasswd,
  kit: async () => (await import('./commands/kit.ts')).kit,
  'kit check': async () => (await import('./commands/kit-check.ts')).kitCheck,
  'kit open': async () => (await import('./commands/kit-open.ts')).kitOpen,
  rescue: async () => (await import('./commands/rescue.ts')).rescue,
  'review agenda': async () => (await import('./commands/review-agenda.ts')).reviewAgenda,
  'review record': async () => (await import('./commands/review-record.ts')).reviewRecord,
  'review list': async () => (await import('./commands/review-list.ts')).reviewList,
  'token add': async () => (await import('./commands/token-add.ts')).tokenAdd,
  'token list': async () => (await import('./commands/token-list.ts')).tokenList,
  'token revoke': async () => (await import('./commands/token-revoke.ts')).tokenRevoke,
  'ledger log': async () => (await import('./commands/ledger-log.ts')).ledgerLog,
  'ledger verify': async () => (await import('./commands/ledger-verify.ts')).ledgerVerify,
  'ledger export': async () => (await import('./commands/ledger-export.ts')).ledgerExport,
  'ledger checkpoint': async () => (await import('./commands/ledger-checkpoint.ts')).ledgerCheckpoint,
  status: async () => (await import('./commands/status.ts')).status,
  'alert list': async () => (await import('./commands/alert-list.ts')).alertList,
  'alert ack': async () => (await import('./commands/alert-ack.ts')).alertAck,
  'alert mute': async () => (await import('./commands/alert-mute.ts')).alertMute,
  'alert test': async () => (await import('./commands/alert-test.ts')).alertTest,
  objectives: async () => (await import('./commands/objectives.ts')).objectives,
  services: async () => (await import('./commands/services.ts')).services,
  'report incident': async () => (await import('./commands/report-incident.ts')).reportIncident,
  'report metrics': async () => (await import('./commands/report-metrics.ts')).reportMetrics,
  'report playbook': async () => (await import('./commands/report-playbook.ts')).reportPlaybook,
  'report verification': async () => (await import('./commands/report-verification.ts')).reportVerification,
  'report compliance': async () => (await import('./commands/report-compliance.ts')).reportCompliance,
  'report verify': async () => (await import('./commands/report-verify.ts')).reportVerify,
  'evidence export': async () => (await import('./commands/evidence-export.ts')).evidenceExport,
  'evidence keys': async () => (await import('./commands/evidence-keys.ts')).evidenceKeys,
  'evidence rotate': async () => (await import('./commands/evidence-rotate.ts')).evidenceRotate,
  'evidence revoke': async () => (await import('./commands/evidence-revoke.ts')).evidenceRevoke,
  schedule: async () => (await import('./commands/schedule.ts')).schedule,
  serve: async () => (await import('./commands/serve.ts')).serve,
  demo: async () => (await import('./commands/demo.ts')).demo,
};

export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);

/** Every command, in the order of the help. */
export function allCommands(): Promise<CommandDefinition[]> {
  return Promise.all(Object.values(COMMANDS).map((load) => load()));
}

/** The commands that begin with this word, in the order of the help; empty where none does. */
export function commandsBeginningWith(word: string): Promise<CommandDefinition[]> {
  const named = Object.entries(COMMANDS).filter(([name]) => name.split(' ')[0] === word);
  return Promise.all(named.map(([, load]) => load()));
}

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
