/** Who asked for what through the API, and who read what is protected. Times are RFC 3339. */
export interface AccessEvents {
  /** Whatever changes something or was refused, each call; of calls that only read, the first of a token in an hour. */
  'api.called': { method: string; path: string; status: number; token?: string; name?: string; role?: string };
  'api.summarised': CallsSummarised;
  /** The first of an address in an hour, and at its end all further ones of it in one. */
  'login.failed': { from: string; attempts: number };
  'token.created': { token: string; name: string; role: string; expires?: string; by?: string };
  'token.revoked': { token: string; name: string; by?: string };
  /** Names and sizes of what is in a snapshot were shown. */
  'content.listed': ContentListed;
  'ledger.exported': { repository: string; format: string; events: number };
}

export interface ContentListed {
  /** The newest of those that were looked into. */
  snapshot: string;
  source?: string;
  /** From where on; all of it, when absent. */
  path?: string;
  /** How many were looked into, where that is more than one. */
  snapshots?: number;
}

/** Calls of one token that only read, further ones of an hour. */
export interface CallsSummarised {
  token: string;
  name: string;
  role: string;
  since: string;
  until: string;
  /** How many, by method, path as the API's description has it, and status: `GET /api/v1/status 200`. */
  calls: Record<string, number>;
}
