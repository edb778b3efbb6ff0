export { createWebhookChannel, type WebhookOptions } from './webhook-channel.ts';
