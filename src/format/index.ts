export { BlobSealer } from './blob-sealer.ts';
export * from './chunker.ts';
export * from './compression.ts';
export * from './config.ts';
export { stringifyExactJson } from './exact-json.ts';
export * from './extended-attribute.ts';
export * from './file-mode.ts';
export { encodeFileTree } from './file-tree.ts';
export * from './index-columns.ts';
export * from './index-file.ts';
export * from './key-file.ts';
export * from './lock-file.ts';
export * from './named-paths.ts';
export { loadNativeCodecs, type NativeCodecs } from './native-codecs.ts';
export { nodeOfStatus } from './node-of-status.ts';
export * from './pack.ts';
export * from './path-matcher.ts';
export {
  asId,
  asRecord,
  parseJsonDocument,
  plainLengthOfText,
  sealJson,
  sealJsonText,
  unsealJsonText,
} from './sealed-json.ts';
export * from './sealing.ts';
export * from './snapshot.ts';
export * from './time.ts';
export { decodeTree, encodeTree } from './tree.ts';
export * from './tree-node.ts';
