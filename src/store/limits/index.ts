export { AdaptiveStore } from './adaptive-store.ts';
export { BandwidthStore } from './bandwidth-store.ts';
