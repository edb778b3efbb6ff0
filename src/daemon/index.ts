/** The daemon: what runs a plan by itself. */
export { createLog, type LogFormat } from './json-log.ts';
export { type Served, type ServeRequest, serve } from './serve.ts';
