export { createHeartbeatChannel } from './heartbeat-channel.ts';
