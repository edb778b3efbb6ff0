import { HoldfastError } from '../../../foundation/errors.ts';
import { type ArchiveToc, type TocEntry, textOf } from './toc.ts';

/**
 * A part of an archive: tables or schemas, with what belongs to them (rows, indexes, constraints, triggers, rights) and what
 * they need (types, functions, sequences, extensions), by the dependencies that pg_dump wrote down.
 */
export interface SelectedEntries {
  toc: ArchiveToc;
  /** What is left out, because it needs a table that is not asked for: `FK CONSTRAINT public orders orders_customer_fkey`. */
  leftOut: string[];
  /** Tables that are made without their rows, because something that is asked for cannot be without them. */
  withoutRows: string[];
}

const RELATIONS = new Set(['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE', 'SEQUENCE']);
/** What pg_restore wants of every archive. */
const ALWAYS = new Set(['ENCODING', 'STDSTRINGS', 'SEARCHPATH']);
/** Belong to what their first dependency is, whatever that is. */
const ATTACHED = new Set([
  ...['TABLE DATA', 'MATERIALIZED VIEW DATA', 'SEQUENCE SET', 'SEQUENCE OWNED BY', 'ACL', 'COMMENT', 'SECURITY LABEL'],
  'STATISTICS DATA',
]);
/** Belong to the relation that they depend on. */
const OF_RELATION = new Set(['INDEX', 'CONSTRAINT', 'SEQUENCE', 'STATISTICS', 'ROW SECURITY', 'TABLE ATTACH']);
/** Belong to the relation whose name their own begins with: they may depend on others. */
const NAMED_AFTER = new Set(['FK CONSTRAINT', 'CHECK CONSTRAINT', 'TRIGGER', 'RULE', 'POLICY', 'DEFAULT']);

/** One schema, or one table, by its very name. */
export interface NamedPart {
  schema: string;
  /** Left out for the whole schema. */
  table?: string;
}

export interface NamedEntries extends SelectedEntries {
  /** What is needed and was not asked for: it does not belong to the part. */
  needed: ReadonlySet<TocEntry>;
  /** Foreign keys of other tables to what was asked for, which do not come along. */
  pointing: string[];
}

/**
 * @param patterns `schema` or `schema.table`, with `*` for any text and `?` for one character
 * @throws path-missing when one of them names nothing
 */
export function selectEntries(toc: ArchiveToc, patterns: readonly string[]): SelectedEntries {
  const selection = new EntrySelection(toc.entries);
  for (const pattern of patterns) selection.choose(JSON.stringify(pattern), wildcard(pattern));
  return selectedOf(toc, selection);
}

/** The same of one schema or table. @throws path-missing */
export function selectNamed(toc: ArchiveToc, { schema, table }: NamedPart): NamedEntries {
  const selection = new EntrySelection(toc.entries);
  const name = table === undefined ? schema : `${schema}.${table}`;
  selection.choose(
    JSON.stringify(name),
    (text, kind) => text === name && kind === (table === undefined ? 'schema' : 'relation'),
  );
  const selected = selectedOf(toc, selection);
  const own = selection.own();
  const needed = new Set(selected.toc.entries.filter((entry) => selection.has(entry) && !own.has(entry)));
  return { ...selected, needed, pointing: selection.pointingTo(own) };
}

/** What of a selection is left where some of what is needed is there already: not that, nor what belongs to it. */
export function withoutNeeded(
  toc: ArchiveToc,
  needed: ReadonlySet<TocEntry>,
  there: ReadonlySet<TocEntry>,
): ArchiveToc {
  const ids = new Set([...there].map(({ dumpId }) => String(dumpId)));
  const isOfThat = (entry: TocEntry): boolean =>
    needed.has(entry) && isBelonging(entry) && entry.dependencies.some((id) => ids.has(id.toString('latin1')));
  return { ...toc, entries: toc.entries.filter((entry) => !there.has(entry) && !isOfThat(entry)) };
}

function selectedOf(toc: ArchiveToc, selection: EntrySelection): SelectedEntries {
  selection.addBelongings();
  const entries = toc.entries.filter((entry) => selection.has(entry) || ALWAYS.has(kindOf(entry)));
  return { toc: { ...toc, entries }, leftOut: selection.leftOut, withoutRows: selection.withoutRows };
}

class EntrySelection {
  readonly #entries: readonly TocEntry[];
  readonly #byId: Map<number, TocEntry>;
  /** What is taken with all that belongs to it. */
  readonly #whole = new Set<TocEntry>();
  /** What is taken alone: relations that are needed, and not asked for. */
  readonly #needed = new Set<TocEntry>();
  readonly #refused = new Set<TocEntry>();
  /** What was asked for by name. */
  readonly #chosen = new Set<TocEntry>();

  constructor(entries: readonly TocEntry[]) {
    this.#entries = entries;
    this.#byId = new Map(entries.map((entry) => [entry.dumpId, entry]));
  }

  has(entry: TocEntry): boolean {
    return this.#whole.has(entry) || this.#needed.has(entry);
  }

  get leftOut(): string[] {
    return [...this.#refused].map(nameOf);
  }

  get withoutRows(): string[] {
    return [...this.#needed].filter((entry) => kindOf(entry) === 'TABLE').map(qualifiedOf);
  }

  /** @param asked what was asked for, as a person is told */
  choose(asked: string, matches: (name: string, kind: 'schema' | 'relation') => boolean): void {
    const meant = this.#entries.filter(
      (entry) =>
        matches(textOf(entry.namespace), 'schema') ||
        (kindOf(entry) === 'SCHEMA' && matches(textOf(entry.tag), 'schema')) ||
        (RELATIONS.has(kindOf(entry)) && matches(qualifiedOf(entry), 'relation')),
    );
    // What belongs to a table comes with it, or is left out.
    const chosen = meant.filter(
      (entry) => (!isBelonging(entry) || kindOf(entry) === 'SEQUENCE') && !kindOf(entry).startsWith('PUBLICATION'),
    );
    if (chosen.length === 0) {
      throw new HoldfastError('path-missing', `the snapshot has no schema or table ${asked}`, {
        hint: 'Write `--only schema` or `--only schema.table`, as the database has the names.',
      });
    }
    for (const entry of chosen) {
      this.#whole.add(entry);
      this.#chosen.add(entry);
    }
  }

  /** What was asked for with all that belongs to it, of what is taken. */
  own(): Set<TocEntry> {
    const own = new Set(this.#chosen);
    for (let before = -1; before !== own.size; ) {
      before = own.size;
      for (const entry of this.#entries) if (this.has(entry) && this.#belongs(entry, own)) this.#addOwn(entry, own);
    }
    return own;
  }

  /** With a partition's place in its table comes the partition. */
  #addOwn(entry: TocEntry, own: Set<TocEntry>): void {
    own.add(entry);
    const partition = kindOf(entry) === 'TABLE ATTACH' ? this.#attached(entry)[1] : undefined;
    if (partition !== undefined) own.add(partition);
  }

  /** Foreign keys that are not taken and lead to what is. */
  pointingTo(own: ReadonlySet<TocEntry>): string[] {
    return this.#entries
      .filter((entry) => kindOf(entry) === 'FK CONSTRAINT' && !this.has(entry) && !this.#refused.has(entry))
      .filter((entry) => this.#needsOf(entry).some((need) => own.has(need)))
      .map(nameOf);
  }

  /** Until nothing comes in any more: what belongs to something that is taken, and what that needs. */
  addBelongings(): void {
    for (let before = -1; before !== this.#whole.size; ) {
      before = this.#whole.size;
      for (const entry of [...this.#whole]) this.#takeNeeds(entry);
      for (const entry of this.#entries) {
        if (this.#whole.has(entry) || this.#refused.has(entry)) continue;
        if (!this.#belongs(entry, this.#whole) && !this.#completesNeeded(entry)) continue;
        this.#takePartitions(entry);
        if (this.#lacks(entry, new Set())) continue;
        this.#needed.delete(entry);
        this.#whole.add(entry);
      }
    }
    this.#refuse();
  }

  /** What belongs to something taken and could not come, now that all is known; and contents made of rows that are not there. */
  #refuse(): void {
    for (const entry of this.#entries)
      if (!this.#whole.has(entry) && this.#belongs(entry, this.#whole)) this.#refused.add(entry);
    if (this.withoutRows.length === 0) return;
    for (const entry of [...this.#whole]) {
      if (kindOf(entry) !== 'MATERIALIZED VIEW DATA') continue;
      this.#whole.delete(entry);
      this.#refused.add(entry);
    }
  }

  #takeNeeds(entry: TocEntry): void {
    for (const need of this.#needsOf(entry)) {
      if (this.has(need)) continue;
      if (isRelation(need) && kindOf(need) !== 'SEQUENCE') this.#needed.add(need);
      else this.#whole.add(need);
      this.#takeNeeds(need);
    }
  }

  /** A partitioned table has its rows in its partitions. */
  #takePartitions(entry: TocEntry): void {
    if (kindOf(entry) !== 'TABLE ATTACH') return;
    const [parent, partition] = this.#attached(entry);
    if (parent !== undefined && partition !== undefined && this.#whole.has(parent)) {
      this.#needed.delete(partition);
      this.#whole.add(partition);
    }
  }

  /** A table that is only needed is still a part of the one above it, and hands its conditions down. */
  #completesNeeded(entry: TocEntry): boolean {
    if (kindOf(entry) === 'CHECK CONSTRAINT') return this.#needsOf(entry).some((need) => this.#needed.has(need));
    const partition = kindOf(entry) === 'TABLE ATTACH' ? this.#attached(entry)[1] : undefined;
    return partition !== undefined && this.#needed.has(partition);
  }

  /** The partitioned table, and the partition, which the entry is named after. */
  #attached(entry: TocEntry): (TocEntry | undefined)[] {
    const tables = this.#needsOf(entry).filter(isRelation);
    const isPartition = (table: TocEntry): boolean => qualifiedOf(table) === qualifiedOf(entry);
    return [tables.find((table) => !isPartition(table)), tables.find(isPartition)];
  }

  #belongs(entry: TocEntry, owners: ReadonlySet<TocEntry>): boolean {
    const kind = kindOf(entry);
    const needs = this.#needsOf(entry);
    if (ATTACHED.has(kind)) return needs[0] !== undefined && owners.has(needs[0]);
    // It goes with both of the indexes that it connects.
    if (kind === 'INDEX ATTACH') return needs.length > 0 && needs.every((need) => owners.has(need));
    // Without it a column of the type can have no index.
    if (kind === 'OPERATOR CLASS') return needs.some((need) => kindOf(need) === 'TYPE' && owners.has(need));
    const isOwner = (need: TocEntry): boolean =>
      owners.has(need) && (isRelation(need) || kindOf(need) === 'DOMAIN') && need !== entry;
    if (OF_RELATION.has(kind)) return needs.some((need) => isOwner(need) && kindOf(need) !== 'SEQUENCE');
    const after = (need: TocEntry): boolean =>
      textOf(need.namespace) === textOf(entry.namespace) && textOf(entry.tag).startsWith(`${textOf(need.tag)} `);
    return NAMED_AFTER.has(kind) && needs.some((need) => isOwner(need) && after(need));
  }

  /** Whether an entry needs a relation that is not taken, or something that does. A foreign key needs rows as well. */
  #lacks(entry: TocEntry, seen: Set<TocEntry>, withRows = kindOf(entry) === 'FK CONSTRAINT'): boolean {
    return this.#needsOf(entry).some((need) => {
      if (seen.has(need) || (isRelation(need) && withRows ? this.#whole : this).has(need)) return false;
      seen.add(need);
      return (isRelation(need) && kindOf(need) !== 'SEQUENCE') || this.#lacks(need, seen, withRows);
    });
  }

  #needsOf({ dependencies }: TocEntry): TocEntry[] {
    return dependencies.flatMap((id) => this.#byId.get(Number(id.toString('latin1'))) ?? []);
  }
}

function isBelonging(entry: TocEntry): boolean {
  const kind = kindOf(entry);
  return kind === 'INDEX ATTACH' || [ATTACHED, OF_RELATION, NAMED_AFTER].some((kinds) => kinds.has(kind));
}

function isRelation(entry: TocEntry): boolean {
  return RELATIONS.has(kindOf(entry));
}

function kindOf({ description }: TocEntry): string {
  return textOf(description);
}

function qualifiedOf({ namespace, tag }: TocEntry): string {
  return `${textOf(namespace)}.${textOf(tag)}`;
}

function nameOf(entry: TocEntry): string {
  return [kindOf(entry), textOf(entry.namespace), textOf(entry.tag)].filter((part) => part !== '').join(' ');
}

/** A test of a whole text: `*` stands for any text, `?` for one character. */
export function wildcard(pattern: string): (text: string) => boolean {
  const written = pattern
    .replaceAll(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const expression = new RegExp(`^${written}$`, 'su');
  return (text) => expression.test(text);
}
