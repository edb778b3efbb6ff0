export { createPagerdutyChannel, type PagerdutyOptions } from './pagerduty-channel.ts';
