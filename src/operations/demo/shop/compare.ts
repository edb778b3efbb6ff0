/** What is known of each thing, by its name: `table public.orders` → `60000 rows, digest …`. */
export interface Fingerprint {
  things: ReadonlyMap<string, string>;
}

export interface DatabaseFingerprint extends Fingerprint {
  /** How many tables there are, materialised views not counted, and how many rows in them. */
  tables: number;
  rows: number;
}

export interface DirectoryFingerprint extends Fingerprint {
  /** Regular files by name, and the bytes in them; those of a file with two names count once. */
  files: number;
  bytes: number;
}

export interface Difference {
  name: string;
  /** What was there; undefined where it is new. */
  before: string | undefined;
  /** What is there; undefined where it is lost. */
  after: string | undefined;
}

/** What is not the same in two fingerprints, in the order of the names. */
export function compareFingerprints(before: Fingerprint, after: Fingerprint): Difference[] {
  const names = [...new Set([...before.things.keys(), ...after.things.keys()])].sort();
  return names
    .map((name) => ({ name, before: before.things.get(name), after: after.things.get(name) }))
    .filter((each) => each.before !== each.after);
}
