/** The YAML of a plan, with the position of every key and value. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import { messageOf } from '../foundation/errors.ts';

/** A place in the file; both count from 1. */
export interface Position {
  line: number;
  column: number;
}

/** What is wrong with the YAML itself. */
export interface SyntaxProblem extends Position {
  message: string;
}

export interface PlanYaml {
  /** Plain objects, arrays and scalars. */
  value: unknown;
  /** Where a key or its value stands; for what is missing, the nearest thing above it that is there. */
  locate(path: readonly PropertyKey[], at: 'key' | 'value'): Position;
}

/** Aliases are for saying a thing twice, not for a bomb of them. */
const MAX_ALIASES = 100;
/** More than any plan needs, and far less than what exhausts the stack. */
const MAX_DEPTH = 64;
const STRAY_ALIAS = 'a value that begins with "*" stands in quotes';
/** Past these, one slip repeats itself. */
const MAX_SYNTAX_PROBLEMS = 20;

/** Reads `text`; all that is wrong with it as YAML, or its value. */
export function parseYaml(text: string): PlanYaml | { problems: SyntaxProblem[] } {
  const deep = tooDeep(text);
  if (deep !== undefined) return { problems: [deep] };
  const lines = new LineCounter();
  try {
    // Without "pretty" errors: those quote the line, and a line may hold a secret.
    // Repeated keys are found below: the parser takes quadratic time for it.
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
    const problems = [...syntaxProblems(document, lines), ...shapeProblems(document, lines)];
    if (problems.length > 0) return { problems: distinct(problems).slice(0, MAX_SYNTAX_PROBLEMS) };
    return { value: document.toJS({ maxAliasCount: MAX_ALIASES }), locate: locator(document, lines) };
  } catch (error) {
    return { problems: [{ line: 1, column: 1, message: `cannot be read as YAML: ${firstLine(messageOf(error))}` }] };
  }
}

/** In the order of the file, without what one slip makes a parser say again on the same line. */
function distinct(problems: readonly SyntaxProblem[]): SyntaxProblem[] {
  const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  const byLine = new Map<string, SyntaxProblem>();
  for (const problem of sorted) {
    const key = `${problem.line}: ${problem.message}`;
    if (!byLine.has(key)) byLine.set(key, problem);
  }
  return [...byLine.values()];
}

function syntaxProblems(document: Document, lines: LineCounter): SyntaxProblem[] {
  return [...document.errors, ...document.warnings].map((error) => ({
    ...positionAt(lines, error.pos[0]),
    message: syntaxMessage(error.code, error.message),
  }));
}

function syntaxMessage(code: string, message: string): string {
  switch (code) {
    case 'MULTIPLE_DOCS':
      return 'a plan is one document; "---" begins another';
    case 'BAD_ALIAS':
      return STRAY_ALIAS;
    case 'TAG_RESOLVE_FAILED':
      return 'tags such as !name are not part of a plan';
    default: {
      if (/alias/i.test(message)) return STRAY_ALIAS;
      const line = firstLine(message);
      return `not valid YAML: ${line.charAt(0).toLowerCase()}${line.slice(1)}`;
    }
  }
}

/** What YAML allows and a plan does not: keys that are no text, merge keys, aliases into themselves or without end. */
function shapeProblems(document: Document, lines: LineCounter): SyntaxProblem[] {
  const problems: SyntaxProblem[] = [];
  const complain = (node: unknown, message: string) =>
    problems.push({ ...positionAt(lines, (node as Node | null)?.range?.[0] ?? 0), message });
  let aliases = 0;
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) complain(key, 'this key is given twice');
        seen.add(key.value);
      }
    },
    Pair(_, pair) {
      const key = pair.key;
      if (!isScalar(key) || typeof key.value !== 'string') complain(key, 'a key is text; put it in quotes');
      else if (key.value === '<<') complain(key, 'merge keys are not part of a plan; write the keys out');
      // As a property this name would reach the prototype of every object.
      else if (key.value === '__proto__') complain(key, '"__proto__" cannot be a name');
    },
    Alias(_, alias, ancestors) {
      aliases += 1;
      if (aliases === MAX_ALIASES + 1) complain(alias, `more than ${MAX_ALIASES} aliases`);
      const target = alias.resolve(document);
      // What it names is not repeated: a password may begin with "*".
      if (target === undefined) complain(alias, STRAY_ALIAS);
      else if (ancestors.includes(target)) complain(alias, 'this alias contains itself');
    },
  });
  return problems;
}

/** Brackets are counted before parsing, because the parser would exhaust the stack on them. */
function tooDeep(text: string): SyntaxProblem | undefined {
  let depth = 0;
  let line = 1;
  let column = 1;
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth = Math.max(0, depth - 1);
    if (depth > MAX_DEPTH) return { line, column, message: `nested more than ${MAX_DEPTH} deep` };
    const lastBreak = token.lastIndexOf('\n');
    if (lastBreak >= 0) {
      line += token.split('\n').length - 1;
      column = token.length - lastBreak;
    } else if (!MARKERS.has(token)) column += token.length;
  }
  return undefined;
}

/** Tokens of the lexer that stand for no character: the beginning of a document, the end of flow, a scalar follows. */
const MARKERS: ReadonlySet<string> = new Set(['\u0002', '\u0018', '\u001f']);

type Locate = PlanYaml['locate'];

function locator(document: Document, lines: LineCounter): Locate {
  const indexes = new WeakMap<YAMLMap, Map<unknown, Step>>();
  const stepInto = (node: unknown, part: PropertyKey): Step | undefined => {
    if (isMap<Node, Node>(node)) {
      const index = indexes.get(node) ?? indexOf(node);
      indexes.set(node, index);
      return index.get(part);
    }
    const value = isSeq<Node>(node) ? node.items[Number(part)] : undefined;
    return value === undefined ? undefined : { value };
  };
  return (path, at) => {
    let node: unknown = document.contents;
    let offset = (node as Node | null)?.range?.[0] ?? 0;
    for (const [index, part] of path.entries()) {
      const step = stepInto(isAlias(node) ? node.resolve(document) : node, part);
      if (step === undefined) break;
      const wantsValue = index === path.length - 1 && at === 'value';
      const place = wantsValue ? (step.value ?? step.key) : (step.key ?? step.value);
      offset = place?.range?.[0] ?? offset;
      node = step.value;
    }
    return positionAt(lines, offset);
  };
}

interface Step {
  key?: Node;
  value?: Node;
}

function indexOf(map: YAMLMap<Node, Node>): Map<unknown, Step> {
  const steps = map.items.map(({ key, value }): [unknown, Step] => [
    isScalar(key) ? key.value : undefined,
    { key, ...(value === null ? {} : { value }) },
  ]);
  return new Map(steps);
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
