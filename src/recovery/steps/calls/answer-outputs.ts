/** What a program printed, or a server answered, as outputs of a step. Pure. */
import type { Outputs } from '../../step.ts';
import type { Mask } from './masking.ts';

const OUTPUT_CHARACTERS = 8_000;
const VALUE_CHARACTERS = 2_000;
/** More than a runbook will ever use. */
const MOST_VALUES = 100;

/**
 * `output`: the end of the text. Where all of it is JSON, `json.a.b` for each single value in it: those of lists by their
 * number from 0. What is longer than an output may be is left out.
 */
export function answerOutputs(text: string, mask: Mask): Outputs {
  const output = mask(text).trim();
  const values = Object.fromEntries(singleValues(parsed(text), 'json', mask).slice(0, MOST_VALUES));
  return { output: output.slice(-OUTPUT_CHARACTERS), ...values };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function singleValues(value: unknown, path: string, mask: Mask): [string, string | number | boolean][] {
  if (typeof value === 'string') {
    const shown = mask(value);
    return path === 'json' || shown.length > VALUE_CHARACTERS ? [] : [[path, shown]];
  }
  if (typeof value === 'number' || typeof value === 'boolean') return path === 'json' ? [] : [[path, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => singleValues(each, `${path}.${key}`, mask));
}
