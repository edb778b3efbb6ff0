export { createSlackChannel, type SlackOptions } from './slack-channel.ts';
