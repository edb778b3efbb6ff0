/** What the API alone says, beside the codes of every error of Holdfast: nothing was done. */
export const REFUSALS = {
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  'method-not-allowed': 405,
  'length-required': 411,
  'too-large': 413,
  'not-json': 415,
  misdirected: 421,
  'too-many-attempts': 429,
  waiting: 503,
} as const;

export type RefusalCode = keyof typeof REFUSALS;
