/** What people decided. Times are RFC 3339. */
export interface GovernanceEvents {
  'plan.applied': PlanApplied;
  'review.recorded': { review: string; attended: string[]; note?: string; by?: string };
  /** A snapshot that stays, whatever the retention says. */
  'snapshot.held': { snapshot: string; tree: string; why: string };
  'snapshot.released': { snapshot: string; tree: string; why?: string };
  /** What is in it differs so much from what is usual that nobody should trust it unseen. */
  'snapshot.suspected': { source: string; snapshot: string; tree: string; time: string; why: string };
  'snapshot.cleared': { source: string; snapshot: string; tree: string; why: string };
  /** What takes two persons. `by` is whose call it was, where that is not the actor: of the API. */
  'approval.asked': { approval: string; action: string; subject: string; why: string; by?: string };
  'approval.given': { approval: string; by?: string };
  /** What was agreed to is done now: it is agreed to no more. */
  'approval.used': { approval: string };
  'verification.finished': VerificationFinished;
  'snapshot.checked': SnapshotChecked;
  /** What a proof left for somebody to look at is gone, its time being over. */
  'sandbox.removed': { place: string; host: string };
  'report.delivered': {
    /** Its name in the plan, and the moment that it was due. */
    report: string;
    /** Up to when it reaches: the next one begins there. */
    until?: string;
    channel: string;
    outcome: 'delivered' | 'failed';
    code?: string;
    message?: string;
  };
}

/** What the plan has verified by itself, of one repository: in its ledger. */
export interface VerificationFinished {
  /** The name of the plan's entry. */
  verification: string;
  repository: string;
  level: 'checked' | 'proven';
  /** `missed`: something is not what it should be. `partial`: all that was looked at is, and some of it could not be looked at. */
  outcome: 'done' | 'partial' | 'missed' | 'failed';
  sources: VerifiedSource[];
  /** With `checked`: what was read in turn beside the sources' own, and is damaged. */
  damaged?: string[];
  durationMs: number;
}

export interface VerifiedSource {
  source: string;
  /** `not-run`: something kept it from being looked at, as `code` and `message` say. */
  state: 'checked' | 'proven' | 'failed' | 'not-provable' | 'not-run';
  snapshot?: string;
  tree?: string;
  /** RFC 3339: the moment that was looked at. */
  time?: string;
  /** Of what was read: the packs that it needs, or what was restored. */
  bytes: number;
  code?: string;
  /** What was wrong. */
  message?: string;
}

/** Every byte that a snapshot needs was read: `failed` where one is not as it was written, or not there. */
export interface SnapshotChecked {
  source: string;
  snapshot: string;
  tree: string;
  state: 'checked' | 'failed';
  packs: number;
  bytes: number;
  /** The first of what is wrong. */
  problems?: string[];
}

export interface PlanApplied {
  /** 1, 2, 3 … */
  revision: number;
  /** The file as it was, whole. */
  text: string;
  sha256: string;
  why: string;
  /** Whose call it was, where that is not the actor: of the API. */
  by?: string;
  /** What it promises or keeps less of than the revision before, in words. */
  weakened?: string[];
}
