/** What a watch outside was told of how things are. */
export interface ChannelEvents {
  /** A heartbeat is not told any more that all is well, for the first time after it was. */
  'heartbeat.withheld': { channel: string; why: string[] };
  /** It is told so again. */
  'heartbeat.resumed': { channel: string };
}
