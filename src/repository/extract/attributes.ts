import { byteString, decodeAttribute, displayName, type NodeAttribute } from '../../format/index.ts';
import { readAttributes, removeAttribute, setAttribute } from '../../foundation/extended-attributes.ts';

const DEFAULT_ACCESS_LIST = 'system.posix_acl_default';
const ACCESS_LISTS: ReadonlySet<string> = new Set(['system.posix_acl_access', DEFAULT_ACCESS_LIST]);

/** Does a part of setting an entry up; a failure becomes a problem of the entry. */
export type Attempt = (what: string, work: () => void) => void;

/** Sets the attributes that an entry should have, and removes what it has beyond them. */
export function applyAttributes(path: Buffer, wanted: readonly NodeAttribute[], attempt: Attempt): void {
  attempt('its attributes', () => {
    for (const name of surplusOf(path, wanted)) attempt(what(name), () => removeAttribute(path, name));
  });
  addAttributes(path, wanted, attempt);
}

/** Sets the attributes of an entry that has none. */
export function addAttributes(path: Buffer, wanted: readonly NodeAttribute[], attempt: Attempt): void {
  for (const attribute of wanted) {
    const { name, value } = decodeAttribute(attribute);
    attempt(what(name), () => setAttribute(path, name, value));
  }
}

/** Whether an entry has these attributes, and none beyond them. */
export function hasAttributes(path: Buffer, wanted: readonly NodeAttribute[]): boolean {
  const values = new Map(readAttributes(path).map(({ name, value }) => [byteString(name), value]));
  const areRight = wanted.map(decodeAttribute).every(({ name, value }) => values.get(byteString(name))?.equals(value));
  return areRight && surplusOf(path, wanted).length === 0;
}

/** Whether what is made in a directory is given an access control list by it. */
export function givesAccessLists(directory: Buffer): boolean {
  return readAttributes(directory).some(({ name }) => byteString(name) === DEFAULT_ACCESS_LIST);
}

/** Takes the access control lists from a directory: what is made in it is given none then. */
export function removeAccessLists(directory: Buffer): void {
  for (const { name } of readAttributes(directory)) {
    if (ACCESS_LISTS.has(byteString(name))) removeAttribute(directory, name);
  }
}

function surplusOf(path: Buffer, wanted: readonly NodeAttribute[]): Buffer[] {
  const expected = new Set(wanted.map((attribute) => byteString(decodeAttribute(attribute).name)));
  const names = readAttributes(path).map(({ name }) => name);
  return names.filter((name) => isRestored(byteString(name)) && !expected.has(byteString(name)));
}

/** Others that a snapshot does not have are the system's: labels of a security module, what a file system keeps there. */
function isRestored(name: string): boolean {
  return ACCESS_LISTS.has(name) || name.startsWith('user.') || name === 'security.capability';
}

function what(name: Buffer): string {
  return `its attribute ${displayName(byteString(name))}`;
}
