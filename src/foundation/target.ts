/** Where a restore goes. */
export type Target =
  | { kind: 'directory'; path: string }
  /**
   * A database. `url` may hold a password: never show it; show `label`. `sandbox` tells that the server is one of
   * Holdfast's own, so that roles may be made there and settings that cost durability may be used.
   */
  | { kind: 'database'; url: string; label: string; sandbox: boolean };
