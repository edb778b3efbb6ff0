import type { Check } from '../index.ts';
import { type ArchiveToc, type TocEntry, textOf } from './archive/toc.ts';

/** As many differences are named; of the others there is a count. */
const NAMED_DIFFERENCES = 5;

/** Holds what one archive defines against what another one does: tables, types, indexes, constraints, rights, values of sequences. */
export function compareSchemas(expected: ArchiveToc, found: ArchiveToc): Check {
  const before = definitions(expected);
  const after = definitions(found);
  const differences: string[] = [];
  for (const [name, definition] of before) {
    const other = after.get(name);
    if (other === undefined) differences.push(`${name} is missing`);
    else if (other !== definition) differences.push(`${name} differs`);
  }
  for (const name of after.keys()) if (!before.has(name)) differences.push(`${name} was not in the snapshot`);
  const more = differences.length > NAMED_DIFFERENCES ? `, and ${differences.length - NAMED_DIFFERENCES} more` : '';
  return {
    name: 'schema',
    result: differences.length === 0 ? 'passed' : 'failed',
    detail:
      differences.length === 0
        ? `${before.size} definitions, all equal`
        : `${differences.slice(0, NAMED_DIFFERENCES).join('; ')}${more}`,
  };
}

/** What says nothing of the schema itself: rows are compared by themselves, and these differ from server to server. */
const LEFT_OUT = new Set([
  'TABLE DATA',
  'BLOBS',
  'BLOB METADATA',
  'ENCODING',
  'STDSTRINGS',
  'SEARCHPATH',
  'DATABASE',
  'DATABASE PROPERTIES',
]);

/** Every definition by kind, schema and name. Entries that share all of these are told apart by their place among them. */
function definitions(toc: ArchiveToc): Map<string, string> {
  const byName = new Map<string, string>();
  const entries = toc.entries.filter(({ description }) => !LEFT_OUT.has(textOf(description)));
  for (const [name, group] of Map.groupBy(entries, nameOf)) {
    const texts = group.map(definitionOf).sort();
    for (const [index, text] of texts.entries()) byName.set(texts.length === 1 ? name : `${name} (${index + 1})`, text);
  }
  return byName;
}

function nameOf({ description, namespace, tag }: TocEntry): string {
  return [description, namespace, tag]
    .map(textOf)
    .filter((part) => part !== '')
    .join(' ');
}

/** Byte by byte, since the texts need not be UTF-8: decoded as that, other letters would all look alike. */
function definitionOf(entry: TocEntry): string {
  const texts = [entry.definition, entry.owner, entry.tableAccessMethod];
  return texts.map((text) => text?.toString('latin1') ?? '').join('\n');
}
