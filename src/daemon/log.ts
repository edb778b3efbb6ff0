/** What is told of as it happens, a line for a machine and a person: `message` says what, the fields which. No secrets. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogValue = string | number | boolean | undefined | readonly string[];

/** A field named as the message is would stand in the line twice, and whoever reads it would take one for the other. */
export type LogFields = Readonly<Record<string, LogValue>> & { message?: never };
