/** `when` of a step: `${check.state} == down and ${lag} < 5`. Pure. */
import { fillTemplate } from './template.ts';

const OPERATORS = ['==', '!=', '<=', '>=', '<', '>'] as const;
type Operator = (typeof OPERATORS)[number];

export interface Comparison {
  left: string;
  operator: Operator;
  right: string;
}

/** The comparisons of a condition, all of which must hold; or what is wrong with it. */
export function parseCondition(text: string): { comparisons: Comparison[] } | { problem: string } {
  const comparisons: Comparison[] = [];
  for (const part of text.split(/\s+and\s+/)) {
    const found = /^\s*(.+?)\s*(==|!=|<=|>=|<|>)\s*(.*?)\s*$/.exec(part);
    if (found === null) return { problem: `"${part.trim()}" compares nothing` };
    const [, left = '', operator, right = ''] = found;
    comparisons.push({ left: unquoted(left), operator: operator as Operator, right: unquoted(right) });
  }
  return { comparisons };
}

/**
 * Whether a condition holds. What both sides can be read as numbers is compared as numbers, else as texts.
 * @param value what a name stands for; what is not known is compared as it is written
 */
export function holds(
  { comparisons }: { comparisons: Comparison[] },
  value: (name: string) => string | undefined,
): boolean {
  return comparisons.every(({ left, operator, right }) => {
    const [one, other] = [fillTemplate(left, value), fillTemplate(right, value)];
    const areNumbers = isNumber(one) && isNumber(other);
    return areNumbers ? compares(Number(one), operator, Number(other)) : compares(one, operator, other);
  });
}

function compares<Value extends string | number>(one: Value, operator: Operator, other: Value): boolean {
  switch (operator) {
    case '==':
      return one === other;
    case '!=':
      return one !== other;
    case '<':
      return one < other;
    case '<=':
      return one <= other;
    case '>':
      return one > other;
    case '>=':
      return one >= other;
  }
}

function isNumber(text: string): boolean {
  return text.trim() !== '' && Number.isFinite(Number(text));
}

function unquoted(text: string): string {
  return /^(["']).*\1$/.test(text) ? text.slice(1, -1) : text;
}
