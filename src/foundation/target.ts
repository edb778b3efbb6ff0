/** Where a restore goes. */
export type Target =
  /** `sandbox` tells that it is thrown away soon: nothing in it needs to be durable. */
  | { kind: 'directory'; path: string; sandbox?: boolean }
  /**
   * A database, of whichever kind the URL's scheme says. `url` may hold a password: never show it; show `label`. `sandbox` tells that the server is one of
   * Holdfast's own, so that roles may be made there and settings that cost durability may be used.
   */
  | { kind: 'database'; url: string; label: string; sandbox: boolean };

/** Whether a place is a URL; else it is the path of a directory. */
export function isUrl(place: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(place);
}
