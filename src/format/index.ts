export * from './tree-node.ts';
