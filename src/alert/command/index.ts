export { type CommandOptions, createCommandChannel } from './command-channel.ts';
