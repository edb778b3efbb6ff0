/** Whether all that playbooks say is answered by an example plan, a command, a step or a test. */
import type { Coverage, CoverageEntry } from './document.ts';
import { isSaidBy, type Quantity, quantitiesIn } from './quantities.ts';
import { type Targets, targetsOf } from './targets.ts';
import { digestOf, type Unit, unitsOf } from './units.ts';

export interface Covered {
  /** Entries whose targets were looked up. */
  entries: number;
  /** Units of playbooks that were held against them. */
  units: number;
  problems: string[];
}

/**
 * @param root where the project lies: tests are looked up there
 * @param examples plans as they are written, by the names of their files
 * @param playbooks Markdown by file name; without it, only the targets are looked up
 */
export function checkCoverage(
  root: string,
  coverage: Coverage,
  examples: ReadonlyMap<string, unknown>,
  playbooks?: ReadonlyMap<string, string>,
): Covered {
  const covered: Covered = { entries: 0, units: 0, problems: [] };
  for (const [file, { example, sections }] of Object.entries(coverage)) {
    const plan = examples.get(example);
    if (plan === undefined) covered.problems.push(`${file}: there is no example ${example}`);
    const entries = Object.entries(sections).flatMap(([section, all]) =>
      all.map((entry, index) => ({ section, index, entry, targets: targetsOf(root, plan, entry) })),
    );
    covered.entries += entries.length;
    for (const { section, index, targets } of entries)
      covered.problems.push(...targets.problems.map((each) => `${file}: ${section}, ${index + 1}: ${each}`));
    const text = playbooks?.get(file);
    if (text !== undefined) checkPlaybook(covered, file, unitsOf(text), entries);
    else if (playbooks !== undefined) covered.problems.push(`${file}: there is no such playbook`);
  }
  for (const file of playbooks?.keys() ?? [])
    if (!Object.hasOwn(coverage, file)) covered.problems.push(`${file}: nothing answers this playbook`);
  return covered;
}

interface Placed {
  section: string;
  index: number;
  entry: CoverageEntry;
  targets: Targets;
}

function checkPlaybook(covered: Covered, file: string, units: readonly Unit[], entries: readonly Placed[]): void {
  covered.units += units.length;
  const ordinals = new Map<string, number>();
  const pairs: { unit: Unit; placed: Placed }[] = [];
  for (const unit of units) {
    const index = ordinals.get(unit.section) ?? 0;
    ordinals.set(unit.section, index + 1);
    const placed = entries.find((each) => each.section === unit.section && each.index === index);
    const at = `${file}:${unit.line}`;
    if (placed === undefined)
      covered.problems.push(`${at}: nothing answers this ${unit.kind} (${digestOf(unit.text)})`);
    else if (placed.entry.digest !== digestOf(unit.text))
      covered.problems.push(`${at}: this ${unit.kind} is not what was answered: it is ${digestOf(unit.text)} now`);
    else pairs.push({ unit, placed });
  }
  for (const { section, index } of entries)
    if (index >= (ordinals.get(section) ?? 0))
      covered.problems.push(`${file}: ${section}, ${index + 1}: is not in the playbook`);
  for (const { unit, placed } of pairs)
    for (const written of unlisted(unit, placed.entry))
      covered.problems.push(`${file}:${unit.line}: its figures are not those of the ${unit.kind}: ${written}`);
  for (const { unit, placed } of pairs)
    for (const { written } of unsaid(unit, placed, pairs))
      covered.problems.push(`${file}:${unit.line}: what answers it does not say ${written.trim()}`);
}

/** Figures that an entry lists and its unit has not, and numbers of the unit that it neither lists nor sets aside. */
function unlisted({ text }: Unit, { figures, promisesNothing }: CoverageEntry): string[] {
  const [own, listed] = [quantitiesIn(text), figures.flatMap(quantitiesIn)];
  const known = [...listed, ...promisesNothing.flatMap(quantitiesIn)];
  const missing = own.filter((each) => !isSaidBy(each, known));
  const foreign = listed.filter((each) => !isSaidBy(each, own));
  return [...missing, ...foreign].map(({ written }) => written.trim());
}

/** The numbers of a unit that its targets do not say. Where these are commands and tests alone, there is nothing to hold them against. */
function unsaid(unit: Unit, { entry, targets }: Placed, all: readonly { unit: Unit; placed: Placed }[]): Quantity[] {
  if (targets.values.length === 0) return [];
  const promised = promisedBy(unit, entry);
  const said = targets.values.flatMap(saidBy);
  if (!entry.together) return promised.filter((each) => !isSaidBy(each, said) && !isBare(each, targets.values));
  const sum = all
    .filter(({ placed }) => placed.entry.together && String(placed.entry.step) === String(entry.step))
    .flatMap((each) => promisedBy(each.unit, each.placed.entry))
    .reduce((total, { value }) => total + value, 0);
  return said.some(({ value, unit: of }) => of === 's' && value === sum) ? [] : promised;
}

function promisedBy({ text }: Unit, { promisesNothing }: CoverageEntry): Quantity[] {
  return quantitiesIn(promisesNothing.reduce((rest, each) => rest.replaceAll(each, ''), text));
}

function saidBy(value: unknown): Quantity[] {
  return quantitiesIn(texts(value).join('\n'));
}

function texts(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)];
  return Object.values(value).flatMap(texts);
}

/** A key such as `daily: 7` has its unit in its name. */
function isBare({ written }: Quantity, values: readonly unknown[]): boolean {
  return values.some((value) => typeof value === 'number' && value === Number(/\d+(?:\.\d+)?/.exec(written)?.[0]));
}
