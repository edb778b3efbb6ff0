/**
 * New passwords for users of servers. URLs hold passwords; nothing that comes back does, and none is sent or logged in clear.
 *
 * All throw source-unreachable, source-lost, source-refused, plan-invalid for what is no URL, and the reason of the signal.
 */

/** What there is to know before a password is changed. */
export interface CredentialsState {
  /** `shop on db.example:5432`. */
  label: string;
  /** As whom the URL logs in. */
  login: string;
  /** Which of the users are not there, or may not log in. */
  missing: string[];
  /** Whether the URL's user may change others. */
  mayChange: boolean;
}

export interface NewPassword {
  user: string;
  password: string;
  /** A URL that may hold the user's old password, as the plan has it. */
  oldUrl?: string;
}

export interface Rotated {
  endedSessions: number;
  /** The old password was known, and tried. Where it was not, a wrong one was. */
  oldWasTried: boolean;
  /** Whether the server remembers it when it is started again. */
  isLasting: boolean;
  /** The user is turned off: nobody gets in by any password before it is turned on. */
  isOff?: boolean;
}

export interface UserSwitch {
  look: CredentialsServer['look'];
  /**
   * Lets users in no more, and ends their sessions; or lets them in again. May be called again.
   * @throws source-refused where the server has no such user, or it is the one of the URL
   */
  turn(
    url: string,
    given: { users: readonly string[]; isOn: boolean },
    signal: AbortSignal,
  ): Promise<Pick<Rotated, 'endedSessions' | 'isLasting'>>;
}

export interface CredentialsServer {
  look(url: string, users: readonly string[], signal: AbortSignal): Promise<CredentialsState>;
  /**
   * Sets a user's password, ends the sessions that it has, and tries to log in: with the new password, and with the old one.
   * May be called again with another password, or the same.
   * @throws validation-failed where the new one does not work, or another one does
   */
  rotate(url: string, given: NewPassword, signal: AbortSignal): Promise<Rotated>;
}
