import type { Operation } from '../operation.ts';
import { acknowledgeAlert, listAlerts, muteAlerts } from './alerts.ts';
import { giveApproval, listApprovals } from './approvals.ts';
import { holdSnapshot, releaseSnapshot } from './holds.ts';
import {
  abortIncident,
  acknowledgeIncident,
  answerIncident,
  approveIncident,
  declareBreach,
  foreseeIncident,
  getIncident,
  listIncidents,
  noteIncident,
  resumeIncident,
  startIncident,
} from './incidents.ts';
import { readLedger } from './ledger.ts';
import { getObjectives } from './objectives.ts';
import { applyPlan, getPlan, getPlanDifference } from './plan.ts';
import { listReviews, recordReview } from './reviews.ts';
import { getSchedule, listRuns, startRun } from './runs.ts';
import { getHistory, listSnapshots } from './snapshots.ts';
import { getStatus } from './status.ts';
import { addToken, listTokens, revokeToken } from './tokens.ts';

/** Every operation of the API, in the order of its description. */
export const OPERATIONS: readonly Operation[] = [
  getPlan,
  getPlanDifference,
  applyPlan,
  getStatus,
  listSnapshots,
  getHistory,
  getSchedule,
  listRuns,
  startRun,
  getObjectives,
  holdSnapshot,
  releaseSnapshot,
  readLedger,
  listAlerts,
  acknowledgeAlert,
  muteAlerts,
  listApprovals,
  giveApproval,
  listIncidents,
  getIncident,
  foreseeIncident,
  startIncident,
  resumeIncident,
  answerIncident,
  approveIncident,
  noteIncident,
  acknowledgeIncident,
  declareBreach,
  abortIncident,
  listReviews,
  recordReview,
  listTokens,
  addToken,
  revokeToken,
];
