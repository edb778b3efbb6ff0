/** The recovery kit, and what is done with it. Times are RFC 3339. */
export interface KitEvents {
  'kit.made': KitMade;
  'kit.checked': KitChecked;
  'rescue.finished': RescueFinished;
}

/** In the ledger of each repository that the kit opens. */
export interface KitMade {
  /** The sealed file, and the machine that it was written on. */
  file: string;
  host: string;
  /** SHA-256 (hex) of the sealed file. */
  sha256: string;
  /** The id of the kit's own key. */
  key: string;
  /** SHA-256 (hex) of the plan in it. */
  plan: string;
  shares?: { shares: number; threshold: number };
}

export interface KitChecked {
  /** SHA-256 (hex) of the sealed file. */
  sha256: string;
  madeAt: string;
  /** `outdated`: it opens, and not all that there is today, or not with today's keys. */
  outcome: 'current' | 'outdated';
  problems?: string[];
}

/** All of a plan was brought back from a kit, or what could be. */
export interface RescueFinished {
  /** SHA-256 (hex) of the sealed file. */
  kit: string;
  /** The task of the daemon, of a drill: then it went to a place that is gone. */
  task?: string;
  outcome: 'done' | 'partial' | 'missed' | 'failed';
  /** The copy of a repository that each source was read from, and what became of it. */
  sources: { source: string; from?: string; time?: string; outcome: string }[];
  /** From the disaster, or else the start of the first run, until everything was back. */
  durationMs: number;
  /** The objective that it was held against. */
  rtoMs?: number;
}
