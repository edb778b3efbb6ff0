/** What source code may not do, seen in its syntax tree. */

import ts from 'typescript';
import type { Finding, TextFile } from './finding.ts';
import { isAllowed } from './text.ts';

const MAX_FILE_LINES = 500;
const MAX_FUNCTION_LINES = 80;

export function isSource(path: string): boolean {
  return /\.(?:ts|mts|mjs|cjs|js)$/.test(path) && !path.endsWith('.d.ts');
}

export function checkSource({ path, text }: TextFile): Finding[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const lines = text.split('\n');
  const findings: Finding[] = [];
  const report = (node: ts.Node, message: string) => {
    const index = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
    if (!isAllowed(lines, index)) findings.push({ file: path, line: index + 1, message });
  };
  // A test file is a list of cases, which grows with what it covers.
  if (!path.endsWith('.test.ts')) reportLengths(source, lines, report);
  visit(source, (node) => {
    if (isEmptyCatch(node)) report(node, 'an empty catch block: a failure that nobody hears of is reported as success');
    if (isSwallowedRejection(node)) {
      report(node, 'a rejection thrown away: a failure that nobody hears of is reported as success');
    }
    if (isFocusedTest(node)) report(node, 'a focused test: every other test is left out, and the run still passes');
  });
  return findings;
}

function reportLengths(source: ts.SourceFile, lines: string[], report: (node: ts.Node, message: string) => void): void {
  const lineCount = lines.at(-1) === '' ? lines.length - 1 : lines.length;
  if (lineCount > MAX_FILE_LINES) {
    report(source, `${lineCount} lines, over ${MAX_FILE_LINES}: a file holds what its name says; split it by purpose`);
  }
  visit(source, (node) => {
    const lineCount = isFunction(node) ? node.getText(source).split('\n').length : 0;
    if (lineCount > MAX_FUNCTION_LINES) {
      report(node, `a function of ${lineCount} lines, over ${MAX_FUNCTION_LINES}: give its steps functions and names`);
    }
  });
}

function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  ts.forEachChild(node, (child) => visit(child, look));
}

function isFunction(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return ts.isFunctionLike(node) && 'body' in node && node.body !== undefined;
}

function isEmptyCatch(node: ts.Node): boolean {
  return ts.isCatchClause(node) && node.block.statements.length === 0;
}

/** `.catch(f)` and `.then(…, f)` with an `f` that does nothing. */
function isSwallowedRejection(node: ts.Node): boolean {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const handlerIndex = ['catch', 'then'].indexOf(node.expression.name.text);
  const handler = node.arguments[handlerIndex];
  return handler !== undefined && doesNothing(handler);
}

function doesNothing(handler: ts.Expression): boolean {
  if (!ts.isArrowFunction(handler) && !ts.isFunctionExpression(handler)) return false;
  const { body } = handler;
  if (ts.isBlock(body)) return body.statements.length === 0;
  return body.kind === ts.SyntaxKind.NullKeyword || (ts.isIdentifier(body) && body.text === 'undefined');
}

function isFocusedTest(node: ts.Node): boolean {
  if (!ts.isPropertyAccessExpression(node) || node.name.text !== 'only') return false;
  return /^(?:describe|it|test|suite|bench)\b/.test(node.expression.getText());
}
