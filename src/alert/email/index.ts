export { createEmailChannel, type EmailOptions } from './email-channel.ts';
