/** `base/5/16384_vm.2` and the like: a database's directory, a relation's number, its fork and its segment. */
const RELATION = /^(?:global|base\/\d+|pg_tblspc\/\d+\/PG_\d+_\d+\/\d+)\/\d+(?:_(?:fsm|vm|init))?(?:\.(\d{1,6}))?$/;

/**
 * The number of the segment when this is a file of a relation, which is made of pages; undefined for any other.
 * @param path in the data directory
 * Source: PostgreSQL's documentation, "Database File Layout".
 */
export function relationSegment(path: string): number | undefined {
  const match = RELATION.exec(path);
  return match === null ? undefined : Number(match[1] ?? 0);
}
