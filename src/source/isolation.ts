/**
 * Who gets in to a server by which address. Every call may be made again: what was done is found and left as it is.
 *
 * All throw source-unreachable, source-lost, source-refused, plan-invalid for what is no URL, and the reason of the signal.
 */

export interface AddressGate {
  /** Looks, and changes nothing. @returns why others could not be kept out, in words */
  obstacles(url: string, allow: readonly string[], signal: AbortSignal): Promise<string[]>;
  /**
   * Lets nobody in any more but from these networks, and ends the sessions of all others, restarts included. How those get in
   * that are let in stays as it is. Proven when it returns: the server goes by it, and nobody else is inside.
   * @param allow addresses, networks such as 10.0.0.0/8, and `local` for the sockets of the server's machine
   * @returns how many sessions were ended; for how long who had connected before and has sent nothing may still get in, in
   *   milliseconds, where the server does not show them
   * @throws source-refused where the role may not, or would cut itself off: before anything is changed; bad-usage
   */
  close(
    url: string,
    allow: readonly string[],
    signal: AbortSignal,
  ): Promise<{ label: string; endedSessions: number; silentMs: number }>;
  /** @returns whether others were kept out */
  open(url: string, signal: AbortSignal): Promise<boolean>;
}
