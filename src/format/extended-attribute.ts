import type { ExtendedAttribute } from '../foundation/extended-attributes.ts';
import type { TreeNode } from './tree-node.ts';

/** One of a node's extended attributes, as JSON has it. Access control lists are attributes too: `system.posix_acl_access`. */
export type NodeAttribute = NonNullable<TreeNode['extended_attributes']>[number];

/**
 * A name that is not UTF-8 stands in a member of its own as well, as base64, as link targets do: JSON has no such text, and
 * what other readers do not know they pass over.
 */
export function encodeAttribute({ name, value }: ExtendedAttribute): NodeAttribute {
  const text = name.toString('utf8');
  const isText = Buffer.from(text, 'utf8').equals(name);
  return { name: text, ...(!isText && { name_raw: name.toString('base64') }), value: value.toString('base64') };
}

export function decodeAttribute({ name, name_raw: rawName, value }: NodeAttribute): ExtendedAttribute {
  return {
    name: rawName === undefined ? Buffer.from(name, 'utf8') : Buffer.from(rawName, 'base64'),
    value: Buffer.from(value ?? '', 'base64'),
  };
}
