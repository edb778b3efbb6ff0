/** Where alerts and reports go: the boundary of channels, one folder for each kind. */
export type { Alert, AlertState, CalledPerson } from './alert.ts';
export type { AlertMessage, Channel, Message, ReportMessage, TestMessage } from './channel.ts';
export { recoveryBy } from './wording.ts';
