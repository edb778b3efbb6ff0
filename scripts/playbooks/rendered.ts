/** Whether a playbook that was rendered from an example has every chapter and number of the one that it answers. Pure. */
import type { Coverage } from './document.ts';
import { isSaidBy, quantitiesIn } from './quantities.ts';
import { type Unit, unitsOf } from './units.ts';

/** @param rendered Markdown by the name of the example. @returns what is not in it */
export function missingFromRendered(coverage: Coverage, rendered: ReadonlyMap<string, string>): string[] {
  return Object.entries(coverage).flatMap(([file, { example, chapters, sections }]) => {
    const units = unitsOf(unescaped(rendered.get(example) ?? ''));
    return Object.entries(sections).flatMap(([section, entries]) => {
      const names = chapters[section];
      if (names === undefined) return [`${file}: no chapter answers ${section}`];
      const absent = names.filter((name) => textOf(units, name) === '');
      const said = names.flatMap((name) => quantitiesIn(textOf(units, name)));
      const figures = entries.flatMap((entry) => entry.figures);
      const unsaid = figures.filter((figure) => !quantitiesIn(figure).every((each) => isSaidBy(each, said)));
      return [
        ...absent.map((name) => `${example}: there is no chapter ${name}`),
        ...unsaid.map((figure) => `${example}: ${names.join(', ')} does not say ${figure}`),
      ];
    });
  });
}

/** All that stands below a heading, the heading as well. */
function textOf(units: readonly Unit[], heading: string): string {
  return units
    .filter(({ section }) => section.split(' / ').includes(heading))
    .map(({ text }) => text)
    .join('\n');
}

function unescaped(markdown: string): string {
  return markdown.replace(/\\([\\`*_[\]<>|#~&.)+-])/g, '$1');
}
