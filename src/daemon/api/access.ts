import type { Role } from '../../operations/index.ts';

/** What each operation of the API takes: the one table, which a test goes through with every role. */
export const ACCESS = {
  getPlan: 'viewer',
  getPlanDifference: 'viewer',
  applyPlan: 'admin',
  getStatus: 'viewer',
  listSnapshots: 'viewer',
  getHistory: 'viewer',
  getSchedule: 'viewer',
  listRuns: 'viewer',
  startRun: 'operator',
  getObjectives: 'viewer',
  holdSnapshot: 'operator',
  releaseSnapshot: 'approver',
  readLedger: 'viewer',
  listAlerts: 'viewer',
  acknowledgeAlert: 'operator',
  muteAlerts: 'operator',
  listApprovals: 'viewer',
  giveApproval: 'approver',
  listReviews: 'viewer',
  recordReview: 'operator',
  listTokens: 'admin',
  addToken: 'admin',
  revokeToken: 'admin',
} as const satisfies Record<string, Role>;

export type OperationId = keyof typeof ACCESS;
