/** An object that was found missing or damaged, and taken from a copy of its repository. */
export interface Healing {
  object: string;
  /** The name of the repository or mirror that had it. */
  from: string;
  /** Whether it is whole in its own place again. */
  putBack: boolean;
  /** What a person should know of it. */
  note: string;
}
