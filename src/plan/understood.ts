/** As much of a plan as this version understands: for when it is all that is left, and another version wrote it. */
import { parseYaml } from './document.ts';
import { valueAt } from './issues.ts';
import { readDocument } from './load.ts';
import type { Finding } from './problems.ts';
import type { Plan } from './view.ts';

export interface UnderstoodPlan {
  plan: Plan;
  /** What is not in it, and why: `sources.db.shedule: unknown key; …`. Empty where all was understood. */
  leftOut: string[];
  /** The sources that are not in it, by name, with why. */
  sourcesLeftOut: Map<string, string>;
}

/** What is known of a plan from elsewhere, and put in the place of what it says itself. */
export interface KnownOfPlan {
  name: string;
  /** Keys of repositories, by name: what the plan says of them besides stays as it is, and so do others. */
  repositories: ReadonlyMap<string, object>;
}

/** Without one of these, a source would be another one, or be read from another repository. */
const ESSENTIAL_KEYS: ReadonlySet<PropertyKey | undefined> = new Set(['type', 'method', 'repository']);

/**
 * A plan without what this version refuses in it: a key that it does not know, a source of a kind that it does not know. What
 * must be there and is not takes with it what it is missing from.
 * @returns undefined where no source of it can be understood
 */
export function understoodPlan(text: string, known: KnownOfPlan, directory: string): UnderstoodPlan | undefined {
  const yaml = parseYaml(text);
  if ('problems' in yaml || !isRecord(yaml.value)) return undefined;
  const planned = isRecord(yaml.value['repositories']) ? yaml.value['repositories'] : {};
  const repositories = { ...planned };
  for (const [name, keys] of known.repositories) {
    repositories[name] = { ...(isRecord(planned[name]) && planned[name]), ...keys };
  }
  const value = { ...yaml.value, version: 1, name: known.name, repositories };
  const leftOut = yaml.value['version'] === 1 ? [] : ['version: it is not 1, and the plan is read as if it were'];
  const sourcesLeftOut = new Map<string, string>();
  for (;;) {
    const read = readDocument(value, directory);
    if (!('findings' in read)) return { plan: read.plan, leftOut, sourcesLeftOut };
    // One by one: what else is wrong may follow from it, and places in lists move.
    const [finding] = read.findings as [Finding];
    const removed = remove(value, finding.path);
    if (removed === undefined) return undefined;
    const [first, source] = removed;
    const why = `${finding.path.map(String).join('.')}: ${finding.message}`;
    if (first === 'sources' && removed.length === 2) sourcesLeftOut.set(String(source), why);
    leftOut.push(why);
  }
}

/** Takes what is at a path out of a plan, or what should have it. @returns the path of what went; undefined where that is all of it */
function remove(plan: object, path: readonly PropertyKey[]): readonly PropertyKey[] | undefined {
  const isEssential = path[0] === 'sources' && ESSENTIAL_KEYS.has(path[2]);
  const at = isEssential ? path.slice(0, 2) : path.slice(0, lengthOfWhatIsThere(plan, path));
  const [key, holder] = [at.at(-1), valueAt(plan, at.slice(0, -1))];
  if (key === undefined) return undefined;
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete (holder as Record<PropertyKey, unknown>)[key];
  return at;
}

/** A key that is missing takes what it is missing from with it. */
function lengthOfWhatIsThere(plan: object, path: readonly PropertyKey[]): number {
  if (path.length === 0 || valueAt(plan, path) !== undefined) return path.length;
  return lengthOfWhatIsThere(plan, path.slice(0, -1));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
