/** Of a ledger that no checkpoint was ever made of: what that means, and what to do. */
export const UNSIGNED =
  'no checkpoint was ever made: its newest events could be cut, and nobody could tell; run `holdfast ledger checkpoint`, with a signing key under `ledger:` in the plan';
