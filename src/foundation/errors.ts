/**
 * The one shape of error that Holdfast throws, and the one table that says what each code means for the exit status.
 *
 * A message is lower case without a full stop and says what happened; a hint is a sentence that says what to do next.
 * Context values are for people and machines to read: never put a secret there.
 */

/** Exit codes of the command line, restic's where it has one. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  partial: 3,
  missed: 4,
  noRepository: 10,
  locked: 11,
  wrongPassword: 12,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Every error code, with the exit code that a command ends with when it is thrown out of it. */
export const ERROR_EXITS = {
  internal: EXIT.failed,
  interrupted: EXIT.interrupted,
  'bad-usage': EXIT.usage,
  'plan-not-found': EXIT.usage,
  'plan-invalid': EXIT.usage,
  'unknown-source': EXIT.usage,
  'unknown-repository': EXIT.usage,
  'unknown-group': EXIT.usage,
  'unknown-channel': EXIT.usage,
  'unknown-snapshot': EXIT.failed,
  'secret-unavailable': EXIT.failed,
  'no-repository': EXIT.noRepository,
  'repository-exists': EXIT.failed,
  'repository-locked': EXIT.locked,
  'repository-damaged': EXIT.failed,
  'repository-unsupported': EXIT.failed,
  'lock-lost': EXIT.failed,
  'wrong-password': EXIT.wrongPassword,
  'unknown-key': EXIT.failed,
  'unknown-token': EXIT.failed,
  /** A recovery kit that is not as it was written. */
  'kit-damaged': EXIT.failed,
  /** What is to open a kit is not all there. */
  'too-few-shares': EXIT.wrongPassword,
  /** A kit is not of what there is today. */
  'kit-outdated': EXIT.missed,
  'key-in-use': EXIT.failed,
  /** A place where a mirror is to be holds what must not be overwritten. */
  'mirror-refused': EXIT.failed,
  /** A mirror has what its primary has lost, and nobody said that it was to go. */
  'mirror-diverged': EXIT.failed,
  'object-missing': EXIT.failed,
  'object-exists': EXIT.failed,
  /** It is there, on a storage class that must be asked for it hours before it is read. */
  'object-offline': EXIT.failed,
  'no-bucket': EXIT.failed,
  'store-unreachable': EXIT.failed,
  'store-failed': EXIT.failed,
  /** One object that a store cannot read while it reads others: a bad sector. */
  'object-unreadable': EXIT.failed,
  /** What the store does not honour, and the work cannot do without. */
  'store-unsuitable': EXIT.failed,
  'disk-full': EXIT.failed,
  'permission-denied': EXIT.failed,
  'source-unreachable': EXIT.failed,
  'source-refused': EXIT.failed,
  'source-lost': EXIT.failed,
  'source-unsupported': EXIT.failed,
  'source-damaged': EXIT.failed,
  'source-changed': EXIT.failed,
  /** A part of a source's log that a restore would need. */
  'log-missing': EXIT.failed,
  'archive-damaged': EXIT.failed,
  'archive-unsupported': EXIT.failed,
  'path-missing': EXIT.failed,
  'program-missing': EXIT.failed,
  'program-too-old': EXIT.failed,
  'program-failed': EXIT.failed,
  'target-not-empty': EXIT.failed,
  'target-unsuitable': EXIT.failed,
  'target-failed': EXIT.failed,
  'unsafe-path': EXIT.failed,
  'sandbox-failed': EXIT.failed,
  'not-provable': EXIT.missed,
  /** What was looked at is not what it is to be. */
  'validation-failed': EXIT.missed,
  /** What is shown as evidence was not signed by a key that is believed, or was changed since. */
  'evidence-refused': EXIT.failed,
  /** The key that signs is not the one that the ledger names, or was revoked. */
  'signing-key-refused': EXIT.failed,
  /** A channel did not take an alert. */
  'channel-failed': EXIT.failed,
  /** It takes another person, who was not asked yet or has not agreed. */
  'approval-needed': EXIT.failed,
  'approval-refused': EXIT.failed,
  'unknown-approval': EXIT.failed,
  /** The plan's file keeps less than the revision that was applied last. */
  'plan-not-applied': EXIT.failed,
  /** What removes something rests while one is, and nobody can look back at it. */
  'incident-open': EXIT.failed,
  /** Whether one is cannot be read. */
  'incident-unknown': EXIT.failed,
  'unknown-runbook': EXIT.usage,
  'unknown-incident': EXIT.failed,
  /** The same runbook is under way already. */
  'incident-exists': EXIT.failed,
  /** Another process runs the steps of it. */
  'incident-running': EXIT.failed,
  /** A step that waits for nobody, or for somebody else, or not any more. */
  'answer-refused': EXIT.failed,
  /** A kind of step that this version cannot run: nothing was done. */
  'step-not-supported': EXIT.failed,
  /** A step needs what an earlier one was to find out. */
  'value-missing': EXIT.failed,
  'unknown-alert': EXIT.failed,
  'unknown-task': EXIT.failed,
  /** Another process runs the same plan. */
  'daemon-running': EXIT.failed,
  /** Somebody else listens there, or this machine does not have it. */
  'address-unavailable': EXIT.failed,
  /** What watches the living could not see it: nothing is known of it then, good or bad. */
  'watch-failed': EXIT.failed,
  /** A server did not do what it was asked for over HTTP. */
  'request-failed': EXIT.failed,
  /** It does not answer well, again and again. */
  'service-down': EXIT.failed,
  'timed-out': EXIT.failed,
  /** What was done is done, and could not be said. */
  'output-failed': EXIT.failed,
} as const satisfies Record<string, ExitCode>;

export type ErrorCode = keyof typeof ERROR_EXITS;

export interface ErrorDetails {
  /** A sentence that says what to do next. */
  hint?: string;
  /** Whether the same call may succeed when it is made again. */
  retryable?: boolean;
  /** Of what is retryable: how long to wait before, where the other side said so. */
  retryAfterMs?: number;
  /** Names, numbers and places that belong to the message. Never a secret. */
  context?: Readonly<Record<string, string | number | boolean | undefined>>;
  cause?: unknown;
}

export class HoldfastError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly context: Readonly<Record<string, string | number | boolean | undefined>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'HoldfastError';
    this.code = code;
    this.hint = details.hint;
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs;
    this.context = details.context ?? {};
  }

  get exitCode(): ExitCode {
    return ERROR_EXITS[this.code];
  }
}

/** Whether `error` is a HoldfastError, with that code if one is given. */
export function isHoldfastError(error: unknown, code?: ErrorCode): error is HoldfastError {
  return error instanceof HoldfastError && (code === undefined || error.code === code);
}

/** The system's error code (`ENOENT`, `ENOSPC` …) of `error`, if it is one. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was broken off',
  EDQUOT: 'no space is left of the quota',
  EHOSTUNREACH: 'no way leads there',
  EISDIR: 'it is a directory',
  ENETUNREACH: 'no way leads there',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space is left',
  ENOTDIR: 'a part of the path is no directory',
  ENOTFOUND: 'its name is not known',
  EPERM: 'permission denied',
  EPIPE: 'the connection was broken off',
  EROFS: 'the file system is read-only',
  ETIMEDOUT: 'it did not answer in time',
};

/** Why the system refused something, for people: in words where it is one of the usual reasons. */
export function systemReason(error: unknown): string {
  const code = systemCode(error);
  return code === undefined ? messageOf(error) : (REASONS[code] ?? code);
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
